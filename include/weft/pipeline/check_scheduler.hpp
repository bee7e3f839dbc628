// Which schedulers a model can be run by.
#pragma once

#include <variant>

#include "weft/sampler/samplers.hpp"

namespace weft::inline v0_1::pipeline {

/// Throws InvalidArgument if the scheduler is of flow matching and the model is not, or the reverse.
inline void check_scheduler(const SchedulerConfig& scheduler, bool is_flow_model) {
  if (!is_flow_model && std::holds_alternative<FlowMatchConfig>(scheduler))
    reject(
        "the scheduler is of flow matching, and this model was trained by diffusion; use ddpm, ddim or "
        "dpmpp");
  if (is_flow_model &&
      (std::holds_alternative<DdpmConfig>(scheduler) || std::holds_alternative<DdimConfig>(scheduler)))
    reject(
        "the scheduler is of diffusion, and this model was trained by flow matching; use flow_match_euler");
}

}  // namespace weft::inline v0_1::pipeline
