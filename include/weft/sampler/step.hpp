// One denoising step as the constants of a linear update.
#pragma once

#include <array>

#include "weft/core/host_device.hpp"

namespace weft {

/// Every sampler here is linear in the state x, the model's v-prediction and the last estimate of the
/// picture:
///   estimate = alpha · x − sigma · v
///   x' = keep · x + take · estimate + recall · (the estimate of the step before) + noise · (a normal number)
struct SamplerStep {
  static constexpr int constants = 6;

  int timestep = 0;  // what the model is told
  float alpha = 1, sigma = 0;
  float keep = 0, take = 1, recall = 0, noise = 0;

  /// The constants as operators read them.
  std::array<float, constants> numbers() const { return {alpha, sigma, keep, take, recall, noise}; }
  WEFT_HOST_DEVICE static SamplerStep of(const float* row) {
    return {0, row[0], row[1], row[2], row[3], row[4], row[5]};
  }
};

}  // namespace weft
