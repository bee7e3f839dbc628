// Scheduler: the concept of what makes the steps of a run.
#pragma once

#include <cmath>
#include <concepts>
#include <string_view>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/io/json.hpp"

namespace weft::inline v0_1 {

/// The properties of an image and its model that decide a schedule.
struct SamplingDemand {
  Index tokens = 0;            // of the image, by which dynamic shifting goes
  bool spaces_sigmas = false;  // sigmas are spaced from 1 to 1/steps, as FLUX's pipeline asks; or down to the
                               // scheduler's least
};

namespace detail {

template <class S>
concept MakesSampler = requires(const S& settings, int steps) {
  { sampler_of(settings, steps) } -> std::same_as<Sampler>;
};
template <class S>
concept MakesSamplerOnDemand = requires(const S& settings, int steps, const SamplingDemand& demand) {
  { sampler_of(settings, steps, demand) } -> std::same_as<Sampler>;
};

}  // namespace detail

/// A scheduler's settings, with a function beside their type, sampler_of(settings, steps) or
/// sampler_of(settings, steps, demand), that makes the constants of all steps and throws InvalidArgument if
/// there are not so many. A step is linear in the state, the model's output and the last two estimates; times
/// are float32.
template <class S>
concept Scheduler = detail::MakesSampler<S> || detail::MakesSamplerOnDemand<S>;

/// A scheduler that reads diffusers' scheduler_config.json; it has a name, and the class of diffusers is
/// class_name.
template <class S>
concept ConfiguredScheduler = Scheduler<S> && std::constructible_from<S, const Config&> && requires {
  { S::name } -> std::convertible_to<std::string_view>;
  { S::class_name } -> std::convertible_to<std::string_view>;
};

/// Makes all steps. Throws InvalidArgument if the scheduler does not have `steps` steps, or if its constants
/// leave float32.
template <Scheduler S>
[[nodiscard]] Sampler make_sampler(const S& settings, int steps, const SamplingDemand& demand = {}) {
  Sampler sampler;
  if constexpr (detail::MakesSamplerOnDemand<S>) {
    sampler = sampler_of(settings, steps, demand);
  } else {
    sampler = sampler_of(settings, steps);
  }
  for (const SamplerStep& step : sampler)
    if (!std::isfinite(step.timestep + step.alpha + step.sigma + step.keep + step.take + step.recall +
                       step.direct + step.noise))
      reject("the scheduler's settings leave float32 at timestep ", step.timestep,
             ": its betas are too near to 0 or to 1");
  return sampler;
}

}  // namespace weft::inline v0_1
