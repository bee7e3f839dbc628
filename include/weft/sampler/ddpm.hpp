// DDPM, as diffusers' DDPMScheduler. Ho et al., "Denoising Diffusion Probabilistic Models", 2020.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "weft/core/sampler_step.hpp"
#include "weft/sampler/estimate.hpp"
#include "weft/sampler/noise_schedule.hpp"
#include "weft/sampler/scheduler.hpp"
#include "weft/sampler/timesteps.hpp"

namespace weft::inline v0_1 {

/// DDPMScheduler's settings.
struct DdpmConfig {
  static constexpr std::string_view name = "ddpm", class_name = "DDPMScheduler";
  enum class Variance { small, large };

  BetaConfig betas{};
  TimestepConfig timesteps{};
  PredictionType prediction = PredictionType::epsilon;
  BoundConfig bounds{};
  Variance variance = Variance::small;

  DdpmConfig() = default;
  /// Reads a scheduler_config.json. Throws InvalidArgument for a setting that is not obeyed here.
  explicit DdpmConfig(const Config& config) {
    const SchedulerFile file(config, class_name);
    Choices<BetaSchedule> schedules = common_beta_schedules();
    schedules.emplace_back("sigmoid", BetaSchedule::sigmoid);
    schedules.emplace_back("laplace", BetaSchedule::laplace);
    betas.read(file, schedules);
    timesteps.read(file);
    file.read("prediction_type", prediction, common_predictions());
    bounds.read_clipping(file);
    bounds.read_thresholding(file);
    // fixed_small_log is the same variance: diffusers takes its logarithm and undoes it.
    file.read("variance_type", variance,
              {{"fixed_small", Variance::small},
               {"fixed_small_log", Variance::small},
               {"fixed_large", Variance::large}});
  }
};

/// Makes the steps of eq. 6 and 7. Throws InvalidArgument if the schedule does not have `steps` steps.
[[nodiscard]] inline Sampler sampler_of(const DdpmConfig& config, int steps) {
  const NoiseSchedule schedule(config.betas);
  const std::vector<int> timesteps = timesteps_of(
      config.timesteps, {.train = schedule.train_steps(), .last = schedule.train_steps()}, steps);
  Sampler out;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double signal = schedule.signal(timesteps[i]);
    const double next = i + 1 < timesteps.size() ? schedule.signal(timesteps[i + 1]) : 1;
    const double alpha = signal / next, beta = 1 - alpha;
    SamplerStep step = config.bounds.step(static_cast<float>(timesteps[i]),
                                          image_estimate(config.prediction, NoiseSchedule::level_of(signal)));
    step.keep = static_cast<float>(std::sqrt(alpha) * (1 - next) / (1 - signal));
    step.take = static_cast<float>(std::sqrt(next) * beta / (1 - signal));
    const double small = std::max((1 - next) / (1 - signal) * beta, 1e-20);
    const double variance = config.variance == DdpmConfig::Variance::small ? small : beta;
    if (timesteps[i] > 0) step.noise = static_cast<float>(std::sqrt(variance));
    out.push_back(step);
  }
  return out;
}
static_assert(ConfiguredScheduler<DdpmConfig>);

}  // namespace weft::inline v0_1
