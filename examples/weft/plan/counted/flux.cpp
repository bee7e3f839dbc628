#include "weft/model/flux.hpp"
#include "counted_as.hpp"

command::ModelWorkPointer command::counted(const weft::FluxConfig& settings, Dtype dtype, weft::Index text) {
  return counted_as<weft::Flux>(
      settings, dtype, weft::planner::sample_prompt(settings, text > 0 ? text : weft::planner::flux_text));
}
