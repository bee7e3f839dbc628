// The samplers, each as a table of linear updates: DDPM, DDIM and DPM-Solver++(2M), as diffusers defines them
// for v-prediction with leading timesteps.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/sampler/noise_schedule.hpp"
#include "weft/sampler/step.hpp"

namespace weft {

using Sampler = std::vector<SamplerStep>;

constexpr std::array<std::string_view, 3> sampler_names{"ddpm", "ddim", "dpmpp"};

namespace detail {

/// Training steps for `steps` of `parts` equal parts, the noisiest first, skipping the first `skipped` parts.
inline std::vector<int> leading_timesteps(const NoiseSchedule& schedule, int steps, int skipped) {
  const int train = schedule.train_steps();
  const auto last_of = [&schedule, train, skipped](int count) {
    return (count - 1 + skipped) * (train / (count + skipped)) + schedule.steps_offset();
  };
  const auto works = [&last_of, train, skipped](int count) {
    return 1 <= count && count <= train - skipped && last_of(count) < train;
  };
  if (!works(steps)) {
    int most = steps < 1 ? train : std::min(steps, train);
    while (most > 0 && !works(most)) --most;
    if (most == 0)
      refuse("no number of steps works with ", train, " training steps and a steps_offset of ",
             schedule.steps_offset());
    refuse("steps is ", steps, " and must be from 1 to ", most, " for ", train, " training steps");
  }
  std::vector<int> out;
  for (int i = steps - 1; i >= 0; --i)
    out.push_back((i + skipped) * (train / (steps + skipped)) + schedule.steps_offset());
  return out;
}

struct Level {
  double alpha, sigma;  // of picture and of noise
};

inline Level level_of(double signal) { return {std::sqrt(signal), std::sqrt(1 - signal)}; }

inline SamplerStep step_at(int timestep, const Level& level) {
  return {.timestep = timestep,
          .alpha = static_cast<float>(level.alpha),
          .sigma = static_cast<float>(level.sigma)};
}

}  // namespace detail

/// Ho et al., "Denoising Diffusion Probabilistic Models", 2020, eq. 6 and 7, with the smaller of the two
/// fixed variances.
inline Sampler ddpm(const NoiseSchedule& schedule, int steps) {
  Sampler out;
  const std::vector<int> timesteps = detail::leading_timesteps(schedule, steps, 0);
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double signal = schedule.signal(timesteps[i]);
    const double next = i + 1 < timesteps.size() ? schedule.signal(timesteps[i + 1]) : 1;
    const double alpha = signal / next, beta = 1 - alpha;
    SamplerStep step = detail::step_at(timesteps[i], detail::level_of(signal));
    step.keep = static_cast<float>(std::sqrt(alpha) * (1 - next) / (1 - signal));
    step.take = static_cast<float>(std::sqrt(next) * beta / (1 - signal));
    step.noise = static_cast<float>(std::sqrt(std::max((1 - next) / (1 - signal) * beta, 1e-20)));
    out.push_back(step);
  }
  return out;
}

/// Song et al., "Denoising Diffusion Implicit Models", 2021, eq. 12 without noise. The last step ends at the
/// first training step's noise, as with diffusers' set_alpha_to_one=False.
inline Sampler ddim(const NoiseSchedule& schedule, int steps) {
  Sampler out;
  const int distance = schedule.train_steps() / std::max(steps, 1);
  for (int timestep : detail::leading_timesteps(schedule, steps, 0)) {
    const detail::Level now = detail::level_of(schedule.signal(timestep));
    const detail::Level next = detail::level_of(schedule.signal(std::max(timestep - distance, 0)));
    SamplerStep step = detail::step_at(timestep, now);
    // The noise in x is (x − alpha · estimate) / sigma.
    step.keep = static_cast<float>(next.sigma / now.sigma);
    step.take = static_cast<float>(next.alpha - next.sigma / now.sigma * now.alpha);
    out.push_back(step);
  }
  return out;
}

/// Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models", 2022,
/// algorithm 2: second order from the last two estimates, first order at both ends, no noise left at the end.
inline Sampler dpmpp(const NoiseSchedule& schedule, int steps) {
  Sampler out;
  const std::vector<int> timesteps = detail::leading_timesteps(schedule, steps, 1);
  const auto log_ratio = [](const detail::Level& level) { return std::log(level.alpha / level.sigma); };
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const detail::Level now = detail::level_of(schedule.signal(timesteps[i]));
    SamplerStep step = detail::step_at(timesteps[i], now);
    if (i + 1 == timesteps.size()) {
      step.take = 1;
    } else {
      const detail::Level next = detail::level_of(schedule.signal(timesteps[i + 1]));
      const double h = log_ratio(next) - log_ratio(now);
      const double weight = -next.alpha * std::expm1(-h);
      step.keep = static_cast<float>(next.sigma / now.sigma);
      step.take = static_cast<float>(weight);
      if (i > 0) {
        const double before = log_ratio(detail::level_of(schedule.signal(timesteps[i - 1])));
        const double half =
            0.5 * h / (log_ratio(now) - before);  // 1 / (2 r) with r the ratio of the step sizes
        step.take = static_cast<float>(weight * (1 + half));
        step.recall = static_cast<float>(-weight * half);
      }
    }
    out.push_back(step);
  }
  return out;
}

/// Refused if there is no sampler of that name, or not so many steps.
inline Sampler make_sampler(std::string_view name, const NoiseSchedule& schedule, int steps) {
  if (name == "ddpm") return ddpm(schedule, steps);
  if (name == "ddim") return ddim(schedule, steps);
  if (name == "dpmpp") return dpmpp(schedule, steps);
  refuse("there is no scheduler ", name, "; there are ", listed(sampler_names));
}

}  // namespace weft
