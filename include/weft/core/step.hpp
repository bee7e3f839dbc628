// Step: the number of a denoising step, as operators read it.
#pragma once

#include <cstdint>

#include "weft/core/host_device.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// A number that operators read when they run, not when they are queued, so that work that was recorded once
/// can be replayed for any other step.
struct Step {
  const std::int32_t* base = nullptr;  // in the backend's memory; null: 0
  Index ahead = 0;

  WEFT_HOST_DEVICE Index index() const { return (base ? *base : 0) + ahead; }

  friend constexpr Step operator+(Step step, Index more) { return {step.base, step.ahead + more}; }
};

}  // namespace weft::inline v0_1
