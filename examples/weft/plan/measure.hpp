// Measurements of the hardware that the planner models.
#pragma once

#include <nlohmann/json.hpp>

#include "../options/options.hpp"
#include "weft/plan.hpp"

namespace command {

/// Times the kernels of the model's kernel_sizes, prints them beside their predictions, and returns them as
/// JSON.
[[nodiscard]] nlohmann::json compare_kernels(const Options& options, const weft::planner::ModelWork& work,
                                             const weft::planner::Gpu& gpu);

/// Measures the hardware, prints its description and writes it to --calibrate. What cannot be measured here
/// is taken from --hardware, or from an H100's machine.
void calibrate(const Options& options);

}  // namespace command
