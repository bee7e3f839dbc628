#include "weft/model/hunyuan_dit.hpp"
#include "counted_as.hpp"

command::ModelWorkPointer command::counted(const weft::HunyuanConfig& settings, Dtype dtype, weft::Index) {
  return counted_as<weft::HunyuanDiT>(settings, dtype, weft::planner::sample_prompt(settings));
}
