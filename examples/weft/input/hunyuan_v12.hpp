// HunyuanDiT v1.2, the model of `plan` where no folder is given, and of projections.
#pragma once

#include <variant>

#include "archs.hpp"

namespace command {

inline weft::HunyuanConfig hunyuan_v12() {
  return std::get<weft::HunyuanConfig>(settings_of(arch_named("hunyuan-v1.2")));
}

}  // namespace command
