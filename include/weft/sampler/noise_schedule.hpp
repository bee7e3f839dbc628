// NoiseSchedule: how much noise an image has at each training step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/sampler/scheduler_file.hpp"

namespace weft::inline v0_1 {

enum class BetaSchedule { linear, scaled_linear, squaredcos_cap_v2, sigmoid, laplace };

/// The variances of the noise that training steps add, with diffusers' defaults.
struct BetaConfig {
  int train_steps = 1000;
  double start = 0.0001, end = 0.02;
  BetaSchedule schedule = BetaSchedule::linear;
  std::vector<double> trained{};  // one a training step, instead of a schedule; or empty
  bool rescales_zero_snr = false;
  std::string name = "the scheduler";  // in rejections

  /// Reads the settings of a scheduler that has `schedules`.
  void read(const SchedulerFile& file, const Choices<BetaSchedule>& schedules) {
    name = file.name();
    file.read("num_train_timesteps", train_steps);
    file.read("beta_start", start);
    file.read("beta_end", end);
    file.read("beta_schedule", schedule, schedules);
    file.read("trained_betas", trained);
    file.read("rescale_betas_zero_snr", rescales_zero_snr);
  }
};

/// Returns the schedules that all schedulers of diffusers have.
inline Choices<BetaSchedule> common_beta_schedules() {
  return {{"linear", BetaSchedule::linear},
          {"scaled_linear", BetaSchedule::scaled_linear},
          {"squaredcos_cap_v2", BetaSchedule::squaredcos_cap_v2}};
}

namespace detail {

/// Returns number i of torch.linspace(first, last, count) in float32.
inline float evenly(float first, float last, int count, int i) {
  if (count == 1) return first;
  const float spacing = (last - first) / static_cast<float>(count - 1);
  return i < count / 2 ? first + spacing * static_cast<float>(i)
                       : last - spacing * static_cast<float>(count - 1 - i);
}

/// Returns the beta of a training step from `signal`, the image's part of the variance after a fraction of
/// the training steps. Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021, eq.
/// 17.
inline float capped_beta(const std::function<double(double)>& signal, int count, int i) {
  constexpr double most = 0.999;
  const double before = signal(static_cast<double>(i) / count), after = signal((i + 1.0) / count);
  return static_cast<float>(std::min(1 - after / before, most));
}

inline double cosine_signal(double t) {
  const double root = std::cos((t + 0.008) / 1.008 * 3.14159265358979323846 / 2);
  return root * root;
}

inline double laplace_signal(double t) {
  const double log_snr = -0.5 * std::copysign(1, 0.5 - t) * std::log(1 - 2 * std::abs(0.5 - t) + 1e-6);
  return std::sqrt(std::exp(log_snr) / (1 + std::exp(log_snr)));
}

/// Returns the beta of training step i.
inline float beta(const BetaConfig& config, int i) {
  const int count = config.train_steps;
  if (!config.trained.empty()) return static_cast<float>(config.trained[static_cast<std::size_t>(i)]);
  switch (config.schedule) {
    case BetaSchedule::linear:
      return evenly(static_cast<float>(config.start), static_cast<float>(config.end), count, i);
    case BetaSchedule::scaled_linear: {
      const float root = evenly(static_cast<float>(std::sqrt(config.start)),
                                static_cast<float>(std::sqrt(config.end)), count, i);
      return root * root;
    }
    case BetaSchedule::squaredcos_cap_v2:
      return capped_beta(cosine_signal, count, i);
    case BetaSchedule::laplace:
      return capped_beta(laplace_signal, count, i);
    default:
      return 1 / (1 + std::exp(-evenly(-6, 6, count, i))) * static_cast<float>(config.end - config.start) +
             static_cast<float>(config.start);
  }
}

/// Returns the image's part of the variance after each training step, rounded as by torch.cumprod.
inline std::vector<float> signals_of(const std::vector<float>& betas) {
  std::vector<float> out;
  double product = 1;
  for (const float beta : betas) {
    product *= static_cast<double>(1.0f - beta);
    out.push_back(static_cast<float>(product));
  }
  return out;
}

/// Returns betas rescaled to zero terminal SNR: after the last training step there is only noise. Lin et al.,
/// "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, algorithm 1.
inline std::vector<float> with_zero_snr(const std::vector<float>& betas) {
  std::vector<float> roots = signals_of(betas);
  for (float& root : roots) root = std::sqrt(root);
  const float first = roots.front(), last = roots.back(), scale = first / (first - last);
  std::vector<float> out;
  float before = 1;
  for (const float root : roots) {
    const float moved = (root - last) * scale, signal = moved * moved;
    out.push_back(1 - signal / before);
    before = signal;
  }
  return out;
}

}  // namespace detail

/// The amplitudes of image and noise in a state.
struct NoiseLevel {
  double alpha = 1, sigma = 0;

  double log_ratio() const { return std::log(alpha / sigma); }
};

/// The image's part of the variance at each training step. Numbers are rounded to float32 where torch's are.
class NoiseSchedule {
 public:
  /// Computes the schedule. Throws InvalidArgument if the settings do not make one.
  explicit NoiseSchedule(const BetaConfig& config) {
    check(config);
    std::vector<float> betas;
    for (int i = 0; i < config.train_steps; ++i) betas.push_back(detail::beta(config, i));
    if (config.rescales_zero_snr) betas = detail::with_zero_snr(betas);
    signals_ = detail::signals_of(betas);
    for (std::size_t t = 0; t < signals_.size(); ++t) {
      const bool may_be_zero = config.rescales_zero_snr && t + 1 == signals_.size();
      const float before = t > 0 ? signals_[t - 1] : 1;
      if (!((0 < signals_[t] || (may_be_zero && signals_[t] == 0)) && signals_[t] < before))
        reject(config.name, ": the betas are too near to 0 or to 1: training step ", t,
               " adds too little noise or leaves too little of the image");
    }
  }

  int train_steps() const { return static_cast<int>(signals_.size()); }

  /// Returns the image's part of the variance at training step t: diffusers' alphas_cumprod.
  float signal(int t) const { return signals_[static_cast<std::size_t>(t)]; }

  NoiseLevel level(int t) const { return level_of(signal(t)); }
  static NoiseLevel level_of(double signal) { return {std::sqrt(signal), std::sqrt(1 - signal)}; }

 private:
  static void check(const BetaConfig& config) {
    constexpr int most = 1'000'000;
    const int count = config.train_steps;
    if (count < 1 || count > most)
      reject(config.name, ": num_train_timesteps is ", count, " and must be from 1 to ", most);
    if (config.rescales_zero_snr && count == 1)
      reject(config.name, ": rescale_betas_zero_snr needs more than one training step");
    if (!config.trained.empty()) return check_trained(config);
    const bool has_ends =
        config.schedule != BetaSchedule::squaredcos_cap_v2 && config.schedule != BetaSchedule::laplace;
    if (has_ends && !(0 < config.start && config.start <= config.end && config.end < 1))
      reject(config.name, ": beta_start is ", config.start, " and beta_end ", config.end,
             ", and they must lie between 0 and 1, in this order");
  }

  static void check_trained(const BetaConfig& config) {
    const auto& betas = config.trained;
    if (static_cast<int>(betas.size()) != config.train_steps)
      reject(config.name, ": trained_betas has ", betas.size(),
             " numbers and must have num_train_timesteps, ", config.train_steps);
    for (std::size_t i = 0; i < betas.size(); ++i)
      if (!(0 < betas[i] && betas[i] < 1))
        reject(config.name, ": trained_betas[", i, "] is ", betas[i], " and must lie between 0 and 1");
  }

  std::vector<float> signals_;
};

}  // namespace weft::inline v0_1
