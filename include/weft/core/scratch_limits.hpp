// How a block's scratch memory is handed out.
#pragma once

#include "weft/core/range.hpp"

namespace weft {

struct ScratchLimits {
  static constexpr Index alignment = 256;  // bytes, as operators on devices need it
  static constexpr Index takes = 32;       // of one block at most

  static constexpr Index padding = takes * alignment;  // bytes that the rounding of all takes may add
};

}  // namespace weft
