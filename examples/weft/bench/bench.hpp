// The command `bench`.
#pragma once

#include "../options/options.hpp"

namespace command {

/// Measures HunyuanDiT v1.2 with random weights, prints a table a size, and writes --json.
void bench(const Options& options);

}  // namespace command
