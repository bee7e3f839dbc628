// Limits of a block's scratch memory.
#pragma once

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

struct ScratchLimits {
  static constexpr Index alignment = 256;  // bytes, as operators on devices need it
  static constexpr Index takes = 32;       // at most, of one block

  static constexpr Index padding = takes * alignment;  // bytes that alignment of all takes may add
};

}  // namespace weft::inline v0_1
