// The command `plan`.
#pragma once

#include "../options/options.hpp"

namespace command {

/// Prints the ranking and writes --json and --svg, or measures and writes --calibrate.
void plan(const Options& options);

}  // namespace command
