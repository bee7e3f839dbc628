// The steps of a model's pipeline.
#pragma once

#include <type_traits>
#include <variant>

#include "weft/core/error.hpp"
#include "weft/model/flux/config.hpp"
#include "weft/model/sd3/config.hpp"
#include "weft/sampler/samplers.hpp"

namespace weft::inline v0_1::pipeline {

/// Whether models of these settings were trained by flow matching; others were by diffusion.
template <class Settings>
constexpr bool is_flow_model = std::is_same_v<Settings, FluxConfig> || std::is_same_v<Settings, SD3Config>;

/// Makes all steps of a model of these settings for an image of `tokens` tokens, as its pipeline in diffusers
/// does: FLUX's gives the scheduler sigmas from 1 to 1/steps, others leave them to it. Throws InvalidArgument
/// if the scheduler is of flow matching and the model is not, or the reverse, or as make_sampler does.
template <class Settings>
[[nodiscard]] Sampler make_sampler(const Settings&, const SchedulerConfig& scheduler, int steps,
                                   Index tokens) {
  if (!is_flow_model<Settings> && std::holds_alternative<FlowMatchConfig>(scheduler))
    reject(
        "the scheduler is of flow matching, and this model was trained by diffusion; use ddpm, ddim or "
        "dpmpp");
  if (is_flow_model<Settings> &&
      (std::holds_alternative<DdpmConfig>(scheduler) || std::holds_alternative<DdimConfig>(scheduler)))
    reject(
        "the scheduler is of diffusion, and this model was trained by flow matching; use flow_match_euler");
  return weft::make_sampler(scheduler, steps,
                            {.tokens = tokens, .spaces_sigmas = std::is_same_v<Settings, FluxConfig>});
}

}  // namespace weft::inline v0_1::pipeline
