// Options that all processes of a job must share, beyond what their engines compare.
#pragma once

#include "options.hpp"
#include "weft/comm/agreement.hpp"

namespace command {

/// Returns the shared part of this process's command line. Names of output files are rank 0's alone, but all
/// ranks must know whether there is a trace, since they send their part of it.
[[nodiscard]] weft::InputSummary summary_of(const Options& options);

}  // namespace command
