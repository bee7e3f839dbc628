// StageMemory: what a stage of a pipeline takes of a rank's memory.
#pragma once

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// Bytes at the moment at which a rank takes most.
struct StageMemory {
  Index weights = 0, activations = 0;

  constexpr Index total() const { return weights + activations; }
};

}  // namespace weft::inline v0_1
