// DDIM, as diffusers' DDIMScheduler. Song et al., "Denoising Diffusion Implicit Models", 2021.
#pragma once

#include <string_view>

#include "weft/core/sampler_step.hpp"
#include "weft/sampler/estimate.hpp"
#include "weft/sampler/noise_schedule.hpp"
#include "weft/sampler/scheduler.hpp"
#include "weft/sampler/timesteps.hpp"

namespace weft::inline v0_1 {

/// DDIMScheduler's settings.
struct DdimConfig {
  static constexpr std::string_view name = "ddim", class_name = "DDIMScheduler";

  BetaConfig betas{};
  TimestepConfig timesteps{};
  PredictionType prediction = PredictionType::epsilon;
  BoundConfig bounds{};
  bool set_alpha_to_one = true;  // ends without noise; false: with that of the first training step

  DdimConfig() = default;
  /// Reads a scheduler_config.json. Throws InvalidArgument for a setting that is not obeyed here.
  explicit DdimConfig(const Config& config) {
    const SchedulerFile file(config, class_name);
    betas.read(file, common_beta_schedules());
    timesteps.read(file);
    file.read("prediction_type", prediction, common_predictions());
    bounds.read_clipping(file);
    bounds.read_thresholding(file);
    file.read("set_alpha_to_one", set_alpha_to_one);
  }
};

/// Makes the steps of eq. 12 with σ = 0. The noise in x is estimated without bounds. Throws InvalidArgument
/// if the schedule does not have `steps` steps.
[[nodiscard]] inline Sampler sampler_of(const DdimConfig& config, int steps) {
  const NoiseSchedule schedule(config.betas);
  const int train = schedule.train_steps();
  const NoiseLevel end = config.set_alpha_to_one ? NoiseLevel{} : schedule.level(0);
  Sampler out;
  for (const int timestep : timesteps_of(config.timesteps, {.train = train, .last = train}, steps)) {
    const int next_timestep = timestep - train / steps;
    const NoiseLevel now = schedule.level(timestep);
    const NoiseLevel next = next_timestep >= 0 ? schedule.level(next_timestep) : end;
    const Estimate noise = noise_estimate(config.prediction, now);
    SamplerStep step =
        config.bounds.step(static_cast<float>(timestep), image_estimate(config.prediction, now));
    step.keep = static_cast<float>(next.sigma * noise.alpha);
    step.take = static_cast<float>(next.alpha);
    step.direct = static_cast<float>(-next.sigma * noise.sigma);
    out.push_back(step);
  }
  return out;
}
static_assert(ConfiguredScheduler<DdimConfig>);

}  // namespace weft::inline v0_1
