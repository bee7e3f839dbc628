// Merging attention over some keys with attention over others, by log-sum-exps.
#pragma once

#include <cmath>

#include "weft/core/host_device.hpp"

namespace weft::inline v0_1 {

/// The treatment of the output and log-sum-exps that attention finds in place.
enum class Output {
  replace,
  merge,  // they are over other keys, and become those over all keys
};

/// The weights of the output in place and of one over further keys in the output over all keys, and the
/// log-sum-exp over all keys.
struct MergeWeights {
  float kept, added, lse;
};

/// Computes the weights from both log-sum-exps. `kept_lse` may be −∞ (no keys yet); `added_lse` is finite.
WEFT_HOST_DEVICE inline MergeWeights merge_weights(float kept_lse, float added_lse) {
  const float highest = kept_lse > added_lse ? kept_lse : added_lse;
  const float kept = std::exp(kept_lse - highest), added = std::exp(added_lse - highest);
  const float sum = kept + added;
  return {kept / sum, added / sum, highest + std::log(sum)};
}

}  // namespace weft::inline v0_1
