// Estimates from the model's output, and their bounds.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/core/error.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/sampler/noise_schedule.hpp"
#include "weft/sampler/scheduler_file.hpp"

namespace weft::inline v0_1 {

enum class PredictionType { epsilon, v, sample, flow };

/// The estimate alpha · x − sigma · (the model's output).
struct Estimate {
  double alpha = 0, sigma = 0;
};

/// The least alpha that estimates divide by; where the image has less, only bounds make its estimate finite.
constexpr double least_alpha = 1e-30;

/// Returns the estimate of the image in x. Salimans and Ho, "Progressive Distillation for Fast Sampling of
/// Diffusion Models", 2022, appendix D. `flow_sigma` scales flow predictions.
inline Estimate image_estimate(PredictionType prediction, const NoiseLevel& level, double flow_sigma = 0) {
  switch (prediction) {
    case PredictionType::epsilon: {
      const double alpha = std::max(level.alpha, least_alpha);
      return {1 / alpha, level.sigma / alpha};
    }
    case PredictionType::v:
      return {level.alpha, level.sigma};
    case PredictionType::sample:
      return {0, -1};
    default:
      return {1, flow_sigma};
  }
}

/// Returns the estimate of the noise in x.
inline Estimate noise_estimate(PredictionType prediction, const NoiseLevel& level) {
  switch (prediction) {
    case PredictionType::epsilon:
      return {0, -1};
    case PredictionType::v:
      return {level.sigma, -level.alpha};
    default:
      return {1 / level.sigma, level.alpha / level.sigma};
  }
}

/// Returns the prediction types that all schedulers of diffusers have.
inline Choices<PredictionType> common_predictions() {
  return {{"epsilon", PredictionType::epsilon},
          {"v_prediction", PredictionType::v},
          {"sample", PredictionType::sample}};
}

/// The bounds of estimates of the image, with diffusers' defaults.
struct BoundConfig {
  bool clips = true;
  Unbounded clip_range{1};
  bool thresholds = false;  // takes precedence over clipping
  double ratio = 0.995;     // which quantile the threshold is
  Unbounded most{1};        // the largest threshold

  void read_clipping(const SchedulerFile& file) {
    file.read("clip_sample", clips);
    file.read("clip_sample_range", clip_range);
    if (clips && !(clip_range.value > 0))
      file.reject("clip_sample_range is ", clip_range.value, " and must be more than 0");
  }
  void read_thresholding(const SchedulerFile& file) {
    file.read("thresholding", thresholds);
    file.read("dynamic_thresholding_ratio", ratio);
    file.read("sample_max_value", most);
    if (thresholds && !(0 <= ratio && ratio <= 1))
      file.reject("dynamic_thresholding_ratio is ", ratio, " and must be from 0 to 1");
    if (thresholds && !(most.value > 0))
      file.reject("sample_max_value is ", most.value, " and must be more than 0");
  }

  /// Makes a step with its estimate and bounds; its update is left to the caller. Throws InvalidArgument if
  /// the estimate is neither finite nor bounded.
  SamplerStep step(float timestep, const Estimate& estimate) const {
    SamplerStep out{.timestep = timestep,
                    .alpha = static_cast<float>(estimate.alpha),
                    .sigma = static_cast<float>(estimate.sigma)};
    if (thresholds) {
      out.bound = static_cast<float>(most.value);
      out.normalizes = 1;
      // A threshold is at least 1, unless the largest is less.
      if (most.value > 1) out.quantile = static_cast<float>(ratio);
    } else if (clips) {
      out.bound = static_cast<float>(clip_range.value);
    }
    if (estimate.alpha >= 1 / least_alpha && std::isinf(out.bound))
      reject(
          "rescale_betas_zero_snr leaves nothing of the image at timestep ", timestep,
          ", where prediction_type epsilon estimates none; with timestep_spacing leading no step is there");
    return out;
  }
};

}  // namespace weft::inline v0_1
