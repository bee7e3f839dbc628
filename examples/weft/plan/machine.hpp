// The hardware and the engine as the planner models them.
#pragma once

#include "../options/options.hpp"
#include "weft/plan.hpp"

namespace command {

/// Returns the hardware of --hardware, or the backend's default.
[[nodiscard]] weft::planner::Hardware hardware_of(const Options& options);

/// Returns the traits of the engine on the options' backend and processes.
[[nodiscard]] weft::planner::EngineTraits engine_of(const Options& options);

}  // namespace command
