// DPM-Solver and DPM-Solver++, as diffusers' DPMSolverMultistepScheduler.
// Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models", 2022.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "weft/core/sampler_step.hpp"
#include "weft/sampler/estimate.hpp"
#include "weft/sampler/noise_schedule.hpp"
#include "weft/sampler/scheduler.hpp"
#include "weft/sampler/sigmas.hpp"
#include "weft/sampler/timesteps.hpp"

namespace weft::inline v0_1 {

/// DPMSolverMultistepScheduler's settings.
struct DpmSolverConfig {
  static constexpr std::string_view name = "dpmpp", class_name = "DPMSolverMultistepScheduler";
  enum class Solver { midpoint, heun };
  enum class Algorithm { dpmsolver, dpmsolverpp, sde_dpmsolver, sde_dpmsolverpp };

  BetaConfig betas{};
  TimestepConfig timesteps{.spacing = TimestepSpacing::linspace};
  SigmaConfig sigmas{};
  PredictionType prediction = PredictionType::epsilon;
  BoundConfig bounds{.clips = false};
  int order = 2;
  Solver solver = Solver::midpoint;
  Algorithm algorithm = Algorithm::dpmsolverpp;
  bool lower_order_final = true;  // with fewer than 15 steps
  bool euler_at_final = false;

  DpmSolverConfig() = default;
  /// Reads a scheduler_config.json. Throws InvalidArgument for a setting that is not obeyed here.
  explicit DpmSolverConfig(const Config& config) {
    const SchedulerFile file(config, class_name);
    betas.read(file, common_beta_schedules());
    timesteps.read(file);
    sigmas.read(file);
    Choices<PredictionType> predictions = common_predictions();
    predictions.emplace_back("flow_prediction", PredictionType::flow);
    file.read("prediction_type", prediction, predictions);
    bounds.read_thresholding(file);
    read_solver(file);
    read_limits(file);
  }

  /// Returns whether the solver estimates the image in x, rather than the noise.
  bool estimates_image() const {
    return algorithm == Algorithm::dpmsolverpp || algorithm == Algorithm::sde_dpmsolverpp;
  }

 private:
  void read_solver(const SchedulerFile& file) {
    file.read("solver_order", order);
    if (order != 1 && order != 2) file.reject("solver_order is ", order, ", and 1 and 2 work here");
    // diffusers maps other schedulers' solver types to these as well.
    file.read("solver_type", solver,
              {{"midpoint", Solver::midpoint},
               {"heun", Solver::heun},
               {"logrho", Solver::midpoint},
               {"bh1", Solver::midpoint},
               {"bh2", Solver::midpoint}});
    file.read("algorithm_type", algorithm,
              {{"dpmsolver", Algorithm::dpmsolver},
               {"dpmsolver++", Algorithm::dpmsolverpp},
               {"sde-dpmsolver", Algorithm::sde_dpmsolver},
               {"sde-dpmsolver++", Algorithm::sde_dpmsolverpp},
               {"deis", Algorithm::dpmsolverpp}});
    file.read("lower_order_final", lower_order_final);
    file.read("euler_at_final", euler_at_final);
  }

  /// Throws InvalidArgument for settings that exclude each other or are not obeyed here.
  void read_limits(const SchedulerFile& file) const {
    const char* const noise_solver = algorithm == Algorithm::dpmsolver ? "dpmsolver" : "sde-dpmsolver";
    if (!estimates_image() && sigmas.ends_at_zero)
      file.reject("algorithm_type is ", noise_solver, ", which needs final_sigmas_type sigma_min");
    if (!estimates_image() && bounds.thresholds)
      file.reject("thresholding is true, and algorithm_type ", noise_solver,
                  " estimates no image; dpmsolver++ does");
    if (!estimates_image() && prediction == PredictionType::flow)
      file.reject("prediction_type is flow_prediction, which algorithm_type ", noise_solver,
                  " does not know; dpmsolver++ does");
    enum class VarianceType { fixed, learned };
    VarianceType variance = VarianceType::fixed;
    file.read("variance_type", variance,
              {{"fixed_small", VarianceType::fixed},
               {"fixed_small_log", VarianceType::fixed},
               {"fixed_large", VarianceType::fixed},
               {"fixed_large_log", VarianceType::fixed},
               {"learned", VarianceType::learned},
               {"learned_range", VarianceType::learned}});
    if (variance == VarianceType::learned && prediction == PredictionType::epsilon)
      file.reject("variance_type is learned, and variances that a model predicts are left unread here");
    bool shifts = false;
    file.read("use_dynamic_shifting", shifts);
    if (shifts)
      file.reject("use_dynamic_shifting is true, and sigmas here do not depend on the image's size");
  }
};

namespace detail {

/// The weights of x' = keep · x + first · estimate + second · (the estimate's slope · h) + noise · (a normal
/// number), for a step of h in log(alpha / sigma).
struct SolverWeights {
  double keep, first, second, noise = 0;
};

inline SolverWeights solver_weights(const DpmSolverConfig& config, const NoiseLevel& now,
                                    const NoiseLevel& next, double h) {
  using Algorithm = DpmSolverConfig::Algorithm;
  const bool midpoint = config.solver == DpmSolverConfig::Solver::midpoint;
  // (exp(x) − 1) / x
  const auto mean_exp = [](double x) { return x == 0 ? 1 : std::expm1(x) / x; };
  switch (config.algorithm) {
    case Algorithm::dpmsolverpp: {
      const double first = -next.alpha * std::expm1(-h);
      return {next.sigma / now.sigma, first, midpoint ? first / 2 : next.alpha * (1 - mean_exp(-h))};
    }
    case Algorithm::sde_dpmsolverpp: {
      const double first = -next.alpha * std::expm1(-2 * h);
      return {next.sigma / now.sigma * std::exp(-h), first,
              midpoint ? first / 2 : next.alpha * (1 - mean_exp(-2 * h)),
              next.sigma * std::sqrt(std::max(-std::expm1(-2 * h), 0.0))};
    }
    case Algorithm::dpmsolver: {
      const double first = -next.sigma * std::expm1(h);
      return {next.alpha / now.alpha, first, midpoint ? first / 2 : next.sigma * (1 - mean_exp(h))};
    }
    default: {
      const double first = -2 * next.sigma * std::expm1(h);
      return {next.alpha / now.alpha, first, midpoint ? first / 2 : 2 * next.sigma * (1 - mean_exp(h)),
              next.sigma * std::sqrt(std::max(std::expm1(2 * h), 0.0))};
    }
  }
}

}  // namespace detail

/// Makes the steps of algorithm 2: second order from the last two estimates, first order at both ends. Throws
/// InvalidArgument if the schedule does not have `steps` steps.
[[nodiscard]] inline Sampler sampler_of(const DpmSolverConfig& config, int steps) {
  const bool is_cosine = config.betas.schedule == BetaSchedule::squaredcos_cap_v2;
  const auto [timesteps, sigmas] =
      sigma_steps_of(config.sigmas, config.timesteps, is_cosine, NoiseSchedule(config.betas), steps);
  const bool is_flow = config.sigmas.spacing == SigmaSpacing::flow;
  const auto level = [is_flow](double sigma) {
    return is_flow ? NoiseLevel{1 - sigma, sigma}
                   : NoiseLevel{1 / std::sqrt(sigma * sigma + 1), sigma / std::sqrt(sigma * sigma + 1)};
  };
  const std::size_t count = timesteps.size();
  const bool first_order_final =
      config.euler_at_final || (config.lower_order_final && count < 15) || config.sigmas.ends_at_zero;
  Sampler out;
  for (std::size_t i = 0; i < count; ++i) {
    const NoiseLevel now = level(sigmas[i]), next = level(sigmas[i + 1]);
    const double h = next.log_ratio() - now.log_ratio();
    const detail::SolverWeights weights = detail::solver_weights(config, now, next, h);
    SamplerStep step =
        config.bounds.step(static_cast<float>(timesteps[i]),
                           config.estimates_image() ? image_estimate(config.prediction, now, sigmas[i])
                                                    : noise_estimate(config.prediction, now));
    step.keep = static_cast<float>(weights.keep);
    step.take = static_cast<float>(weights.first);
    step.noise = static_cast<float>(weights.noise);
    if (config.order == 2 && i > 0 && !(i + 1 == count && first_order_final)) {
      const double slope = weights.second * h / (now.log_ratio() - level(sigmas[i - 1]).log_ratio());
      step.take = static_cast<float>(weights.first + slope);
      step.recall = static_cast<float>(-slope);
    }
    out.push_back(step);
  }
  return out;
}
static_assert(ConfiguredScheduler<DpmSolverConfig>);

}  // namespace weft::inline v0_1
