#include "weft/model/pixart.hpp"
#include "counted_as.hpp"

command::ModelWorkPointer command::counted(const weft::PixArtConfig& settings, Dtype dtype,
                                           weft::Index text) {
  return counted_as<weft::PixArt>(
      settings, dtype, weft::planner::sample_prompt(settings, text > 0 ? text : weft::planner::pixart_text));
}
