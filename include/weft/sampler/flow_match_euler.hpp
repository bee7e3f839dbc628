// Flow matching by Euler's method, as diffusers' FlowMatchEulerDiscreteScheduler. Esser et al., "Scaling
// Rectified Flow Transformers for High-Resolution Image Synthesis", 2024.
#pragma once

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/sampler/scheduler.hpp"
#include "weft/sampler/scheduler_file.hpp"
#include "weft/sampler/sigmas.hpp"
#include "weft/sampler/timesteps.hpp"

namespace weft::inline v0_1 {

/// The shift of sigmas by the size of an image.
enum class TimeShift { exponential, linear };
struct FlowMatchConfig {
  static constexpr std::string_view name = "flow_match_euler", class_name = "FlowMatchEulerDiscreteScheduler";

  int train_steps = 1000;
  double shift = 1;
  bool is_dynamic = false;  // shifted by the image's tokens, and not by `shift`
  double base_shift = 0.5, max_shift = 1.15;
  int base_tokens = 256, max_tokens = 4096;
  TimeShift time_shift = TimeShift::exponential;
  double terminal = 0;  // the last sigma above 0; 0: as it comes
  SigmaSpacing spacing = SigmaSpacing::timesteps;
  bool is_stochastic = false;  // noise is drawn anew for every step

  FlowMatchConfig() = default;
  explicit FlowMatchConfig(const Config& config) {
    const SchedulerFile file(config, class_name);
    file.read("num_train_timesteps", train_steps);
    file.read("shift", shift);
    file.read("use_dynamic_shifting", is_dynamic);
    file.read("base_shift", base_shift);
    file.read("max_shift", max_shift);
    file.read("base_image_seq_len", base_tokens);
    file.read("max_image_seq_len", max_tokens);
    file.read("time_shift_type", time_shift,
              {{"exponential", TimeShift::exponential}, {"linear", TimeShift::linear}});
    file.read("shift_terminal", terminal);
    file.read("stochastic_sampling", is_stochastic);
    bool karras = false, exponential = false, beta = false, inverts = false;
    file.read("use_karras_sigmas", karras);
    file.read("use_exponential_sigmas", exponential);
    file.read("use_beta_sigmas", beta);
    file.read("invert_sigmas", inverts);
    if (beta)
      file.reject(
          "use_beta_sigmas is true, and works nowhere here; make it false, or use_karras_sigmas true");
    if (inverts)
      file.reject("invert_sigmas is true, and the models here go from noise to the image; make it false");
    if (karras && exponential)
      file.reject("use_karras_sigmas and use_exponential_sigmas are both true; make one of them false");
    spacing = karras        ? SigmaSpacing::karras
              : exponential ? SigmaSpacing::exponential
                            : SigmaSpacing::timesteps;
    if (train_steps < 1) file.reject("num_train_timesteps is ", train_steps, " and must be at least 1");
    if (shift <= 0) file.reject("shift is ", shift, " and must be above 0; 3 is usual");
    if (terminal < 0 || terminal >= 1)
      file.reject("shift_terminal is ", terminal, " and must be from 0 to below 1");
    if (base_tokens == max_tokens)
      file.reject("base_image_seq_len and max_image_seq_len are both ", base_tokens, " and must differ");
  }
};

/// Returns diffusers' `mu` of an image: the line through (base_tokens, base_shift) and (max_tokens,
/// max_shift).
inline double dynamic_shift(const FlowMatchConfig& config, Index tokens) {
  const double slope = (config.max_shift - config.base_shift) / (config.max_tokens - config.base_tokens);
  return slope * static_cast<double>(tokens - config.base_tokens) + config.base_shift;
}

namespace detail {

inline double shifted(double shift, double sigma) { return shift * sigma / (1 + (shift - 1) * sigma); }

inline double dynamically_shifted(const FlowMatchConfig& config, Index tokens, double sigma) {
  const double mu = dynamic_shift(config, tokens);
  const double by = config.time_shift == TimeShift::exponential ? std::exp(mu) : mu;
  return by / (by + 1 / sigma - 1);
}

/// Returns the share of noise in the state before each step.
inline std::vector<double> flow_sigmas(const FlowMatchConfig& config, int steps,
                                       const SamplingDemand& demand) {
  const double least =
      config.is_dynamic ? 1.0 / config.train_steps : shifted(config.shift, 1.0 / config.train_steps);
  std::vector<double> out;
  for (int i = 0; i < steps; ++i) {
    const double sigma = demand.spaces_sigmas ? static_cast<float>(linspace(1, 1.0 / steps, steps, i))
                                              : linspace(1, least, steps, i);
    out.push_back(config.is_dynamic ? dynamically_shifted(config, demand.tokens, sigma)
                                    : shifted(config.shift, sigma));
  }
  if (config.terminal > 0) {
    const double scale = (1 - out.back()) / (1 - config.terminal);
    for (double& sigma : out) sigma = 1 - (1 - sigma) / scale;
  }
  const double first = out.front(), last = out.back();
  if (config.spacing != SigmaSpacing::timesteps)
    for (int i = 0; i < steps; ++i)
      out[static_cast<std::size_t>(i)] = spaced_sigma(config.spacing, first, last, steps, i);
  return out;
}

}  // namespace detail

/// x' = x + (σ' − σ) · output, of a model that predicts the velocity from image to noise.
inline Sampler sampler_of(const FlowMatchConfig& config, int steps, const SamplingDemand& demand = {}) {
  if (steps < 1) reject("flow matching has ", steps, " steps and must have at least 1");
  if (config.is_dynamic && demand.tokens < 1)
    reject(
        "the scheduler shifts by the image's tokens, and is not told how many there are; give "
        "SamplingDemand::tokens");
  std::vector<float> sigmas;
  for (const double sigma : detail::flow_sigmas(config, steps, demand))
    sigmas.push_back(static_cast<float>(sigma));
  sigmas.push_back(0);
  Sampler out;
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const float now = sigmas[i], next = sigmas[i + 1];
    SamplerStep step{.timestep = now * static_cast<float>(config.train_steps), .alpha = 1, .sigma = now};
    step.keep = config.is_stochastic ? 0 : 1;
    step.take = config.is_stochastic ? 1 - next : 0;
    step.direct = config.is_stochastic ? 0 : next - now;
    step.noise = config.is_stochastic ? next : 0;
    out.push_back(step);
  }
  return out;
}
static_assert(ConfiguredScheduler<FlowMatchConfig>);

}  // namespace weft::inline v0_1
