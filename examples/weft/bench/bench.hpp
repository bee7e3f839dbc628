// The command `bench`.
#pragma once

#include "../options/options.hpp"

namespace command {

/// Measures the model of --arch with random weights, prints a table a size, and writes --json.
void bench(const Options& options);

}  // namespace command
