#include "weft/model/sd3.hpp"
#include "counted_as.hpp"

command::ModelWorkPointer command::counted(const weft::SD3Config& settings, Dtype dtype, weft::Index text) {
  return counted_as<weft::SD3>(
      settings, dtype, weft::planner::sample_prompt(settings, text > 0 ? text : weft::planner::sd3_text));
}
