// The noise levels between which a solver steps: sigmas, ratios of noise to image.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/sampler/noise_schedule.hpp"
#include "weft/sampler/scheduler_file.hpp"
#include "weft/sampler/timesteps.hpp"

namespace weft::inline v0_1 {

/// The spacing of sigmas. Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models",
/// 2022, eq. 5; Lu et al., "DPM-Solver", 2022, evenly in the logarithm, as exponential ones are.
enum class SigmaSpacing { timesteps, karras, lu, exponential, flow };

struct SigmaConfig {
  SigmaSpacing spacing = SigmaSpacing::timesteps;
  std::optional<double> least{}, most{};  // ends of karras and exponential; or the training steps'
  double flow_shift = 1;
  bool ends_at_zero = true;                                        // false: at the first training step's
  Unbounded lambda_min{-std::numeric_limits<double>::infinity()};  // least log(alpha / sigma) of a step

  void read(const SchedulerFile& file) {
    bool karras = false, lu = false, exponential = false, beta = false, flow = false;
    file.read("use_karras_sigmas", karras);
    file.read("use_lu_lambdas", lu);
    file.read("use_exponential_sigmas", exponential);
    file.read("use_beta_sigmas", beta);
    file.read("use_flow_sigmas", flow);
    if (beta)
      file.reject(
          "use_beta_sigmas is true, and sigmas here are none of the beta distribution; "
          "use_karras_sigmas works");
    if (karras && exponential)
      file.reject("use_karras_sigmas and use_exponential_sigmas are true, and one of them can be");
    spacing = karras        ? SigmaSpacing::karras
              : lu          ? SigmaSpacing::lu
              : exponential ? SigmaSpacing::exponential
              : flow        ? SigmaSpacing::flow
                            : SigmaSpacing::timesteps;
    read_end(file, "sigma_min", least);
    read_end(file, "sigma_max", most);
    file.read("flow_shift", flow_shift);
    if (!(flow_shift > 0)) file.reject("flow_shift is ", flow_shift, " and must be more than 0");
    file.read("final_sigmas_type", ends_at_zero, {{"zero", true}, {"sigma_min", false}});
    file.read("lambda_min_clipped", lambda_min);
  }

 private:
  static void read_end(const SchedulerFile& file, const char* key, std::optional<double>& end) {
    if (!file.has(key)) return;
    file.read(key, end.emplace());
    if (!(*end > 0)) file.reject(key, " is ", *end, " and must be more than 0");
  }
};

/// The n timesteps and n + 1 sigmas of n steps.
struct SigmaSteps {
  std::vector<int> timesteps;
  std::vector<float> sigmas;
};

namespace detail {

/// Returns the sigmas of all training steps.
inline std::vector<float> sigmas_of(const NoiseSchedule& schedule) {
  std::vector<float> out;
  for (int t = 0; t < schedule.train_steps(); ++t) {
    // Where nothing of the image is left, diffusers takes the least positive float16.
    const float signal = schedule.signal(t) > 0 ? schedule.signal(t) : 0x1p-24f;
    out.push_back(std::sqrt((1 - signal) / signal));
  }
  return out;
}

/// Returns how many training steps have a lambda of at least lambda_min.
inline int used_steps(const NoiseSchedule& schedule, const SigmaConfig& config) {
  const auto least = static_cast<float>(config.lambda_min.value);
  const int train = schedule.train_steps();
  for (int t = train - 1; t >= 0; --t) {
    const float signal = schedule.signal(t) > 0 ? schedule.signal(t) : 0x1p-24f;
    if (std::log(std::sqrt(signal)) - std::log(std::sqrt(1 - signal)) >= least) return t + 1;
  }
  return 0;
}

/// Returns the logarithm as numpy computes it in float32.
inline double log_of(float sigma) {
  return static_cast<double>(static_cast<float>(std::log(static_cast<double>(sigma))));
}

/// Returns the training step of a sigma, interpolated linearly in its logarithm.
inline double timestep_of(double sigma, const std::vector<float>& sigmas) {
  if (sigmas.size() < 2) return 0;
  const double log_sigma = std::log(std::max(sigma, 1e-10));
  std::size_t low = 0, end = sigmas.size() - 1;
  while (end - low > 1) {
    const std::size_t middle = (low + end) / 2;
    if (log_sigma >= log_of(sigmas[middle])) {
      low = middle;
    } else {
      end = middle;
    }
  }
  const double below = log_of(sigmas[low]), distance = log_of(sigmas[low + 1]) - below;
  const double weight =
      std::clamp((log_sigma - below) / static_cast<double>(static_cast<float>(distance)), 0.0, 1.0);
  return (1 - weight) * static_cast<double>(low) + weight * static_cast<double>(low + 1);
}

/// Returns number i of `steps` sigmas from `most` to `least`, evenly spaced in a root or in the logarithm.
inline double spaced_sigma(SigmaSpacing spacing, double most, double least, int steps, int i) {
  constexpr double rho = 7;
  const bool karras = spacing == SigmaSpacing::karras, lu = spacing == SigmaSpacing::lu;
  const auto bent = [karras, lu](double sigma) {
    return karras ? std::pow(sigma, 1 / rho) : lu ? log_of(static_cast<float>(sigma)) : std::log(sigma);
  };
  const double place = bent(most) + linspace(0, 1, steps, i) * (bent(least) - bent(most));
  return karras ? std::pow(place, rho) : std::exp(place);
}

/// Makes the steps of flow matching, whose state is (1 − sigma) · image + sigma · noise.
inline SigmaSteps flow_steps(const SigmaConfig& config, int train, int steps) {
  SigmaSteps out;
  for (int i = steps; i > 0; --i) {
    const double plain = 1 - linspace(1, 1.0 / train, steps + 1, i);
    const double sigma = config.flow_shift * plain / (1 + (config.flow_shift - 1) * plain);
    out.timesteps.push_back(static_cast<int>(sigma * train));
    out.sigmas.push_back(static_cast<float>(sigma));
  }
  return out;
}

/// Makes steps whose sigmas are spaced between those of the first and last training steps.
inline SigmaSteps spaced_steps(const SigmaConfig& config, bool is_cosine, const std::vector<float>& sigmas,
                               int steps) {
  const bool own_ends = config.spacing != SigmaSpacing::lu;
  const bool rounds = config.spacing != SigmaSpacing::exponential && !is_cosine;
  const double most = own_ends ? config.most.value_or(sigmas.back()) : sigmas.back();
  const double least = own_ends ? config.least.value_or(sigmas.front()) : sigmas.front();
  SigmaSteps out;
  for (int i = 0; i < steps; ++i) {
    const double sigma = spaced_sigma(config.spacing, most, least, steps, i);
    const double t = timestep_of(sigma, sigmas);
    out.timesteps.push_back(rounds ? rounded(t) : static_cast<int>(t));
    out.sigmas.push_back(static_cast<float>(sigma));
  }
  return out;
}

/// Makes steps at training steps.
inline SigmaSteps trained_steps(std::vector<int> timesteps, const std::vector<float>& sigmas) {
  SigmaSteps out{std::move(timesteps), {}};
  for (const int t : out.timesteps) out.sigmas.push_back(sigmas[static_cast<std::size_t>(t)]);
  return out;
}

}  // namespace detail

/// Makes the timesteps and sigmas of `steps` steps. Timesteps of spaced sigmas are truncated, not rounded,
/// with cosine betas. Throws InvalidArgument if the schedule does not have so many.
[[nodiscard]] inline SigmaSteps sigma_steps_of(const SigmaConfig& config, const TimestepConfig& timesteps,
                                               bool is_cosine, const NoiseSchedule& schedule, int steps) {
  const std::vector<float> sigmas = detail::sigmas_of(schedule);
  const TimestepRange range{
      .train = schedule.train_steps(), .last = detail::used_steps(schedule, config), .skipped = 1};
  if (config.spacing != SigmaSpacing::timesteps && (steps < 1 || steps > range.train))
    reject("steps is ", steps, " and must be from 1 to ", range.train, " for ", range.train,
           " training steps");
  SigmaSteps out = config.spacing == SigmaSpacing::timesteps
                       ? detail::trained_steps(timesteps_of(timesteps, range, steps), sigmas)
                   : config.spacing == SigmaSpacing::flow
                       ? detail::flow_steps(config, range.train, steps)
                       : detail::spaced_steps(config, is_cosine, sigmas, steps);
  out.sigmas.push_back(config.ends_at_zero ? 0 : sigmas.front());
  return out;
}

}  // namespace weft::inline v0_1
