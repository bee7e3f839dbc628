// One denoising step as the constants of a linear update.
#pragma once

#include <array>
#include <limits>
#include <vector>

#include "weft/core/host_device.hpp"

namespace weft::inline v0_1 {

/// A denoising step that is linear in the state x, the model's output, and the last two estimates:
///   estimate = bounded(alpha · x − sigma · output)
///   x' = keep · x + take · estimate + recall · (the estimate of the step before) + direct · output
///        + noise · (a normal number)
/// Estimates are of the image or, for some solvers, of the noise in x.
struct SamplerStep {
  static constexpr int constants = 10;

  float timestep = 0;  // passed to the model
  float alpha = 1, sigma = 0;
  float keep = 0, take = 1, recall = 0, direct = 0, noise = 0;

  // The largest magnitude of an estimate. With a quantile in [0, 1], that quantile of the image's magnitudes
  // takes its place, clamped to [1, bound].
  float bound = std::numeric_limits<float>::infinity();
  float quantile = -1;
  float normalizes = 0;  // 1: estimates are divided by the bound

  /// Returns the constants in the order in which operators read them.
  std::array<float, constants> numbers() const {
    return {alpha, sigma, keep, take, recall, direct, noise, bound, quantile, normalizes};
  }
  /// Returns the step of which `row` holds the constants; its timestep is 0.
  WEFT_HOST_DEVICE static SamplerStep of(const float* row) {
    return {0, row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9]};
  }

  WEFT_HOST_DEVICE bool has_quantile() const { return quantile >= 0; }

  /// Computes the estimate before it is bounded.
  WEFT_HOST_DEVICE float estimate(float x, float output) const { return alpha * x - sigma * output; }

  /// Returns the bound of an image's estimates; `search` has found the image's quantile if the step has one.
  /// Dynamic thresholding: Saharia et al., "Photorealistic Text-to-Image Diffusion Models with Deep Language
  /// Understanding", 2022, §2.3.
  template <class Search>
  WEFT_HOST_DEVICE float bound_of(const Search* search) const {
    if (!has_quantile()) return bound;
    const float found = search->value(), least = found < 1 ? 1 : found;
    return least > bound ? bound : least;
  }
  WEFT_HOST_DEVICE float bounded(float estimate, float limit) const {
    const float inside = estimate < -limit ? -limit : estimate > limit ? limit : estimate;
    return normalizes != 0 ? inside / limit : inside;
  }

  /// Computes the next state, before noise is added.
  WEFT_HOST_DEVICE float next(float x, float estimate, float last, float output) const {
    return keep * x + take * estimate + recall * last + direct * output;
  }
};

/// All denoising steps of an image, from noise to the image.
using Sampler = std::vector<SamplerStep>;

/// Returns what the steps pass to the model.
[[nodiscard]] inline std::vector<float> timesteps_of(const Sampler& sampler) {
  std::vector<float> out;
  for (const SamplerStep& step : sampler) out.push_back(step.timestep);
  return out;
}

}  // namespace weft::inline v0_1
