// Attention over some keys, merged with attention over others by their log-sum-exps.
#pragma once

#include <cmath>

#include "weft/core/host_device.hpp"

namespace weft {

/// What attention does with the output and log-sum-exp that are there.
enum class Output {
  replace,
  merge,  // they are of other keys, and become those of all
};

/// How much an output that is there and one over further keys weigh in that over all.
struct MergeWeights {
  float kept, added, lse;
};

/// Weights from both log-sum-exps. `kept_lse` may be −∞ (no keys yet); `added_lse` is finite.
WEFT_HOST_DEVICE inline MergeWeights merge_weights(float kept_lse, float added_lse) {
  const float highest = kept_lse > added_lse ? kept_lse : added_lse;
  const float kept = std::exp(kept_lse - highest), added = std::exp(added_lse - highest);
  const float sum = kept + added;
  return {kept / sum, added / sum, highest + std::log(sum)};
}

}  // namespace weft
