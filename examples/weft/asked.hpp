// What processes of a job must be asked alike, beyond what their engines compare.
#pragma once

#include "options.hpp"
#include "weft/comm/agreement.hpp"

namespace command {

/// Of this process's command line. Where the first process writes to is its own affair, but for whether there
/// is a trace, to which all send.
weft::InputSummary asked_of(const Options& options);

}  // namespace command
