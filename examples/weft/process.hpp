// The process: its standard streams, its stack and its exit code.
#pragma once

#include <optional>

#include "weft/comm/job/launch_environment.hpp"
#include "weft/core/error.hpp"

namespace command {

/// Occupies closed standard streams, so that no file opened later takes their numbers; using them still
/// fails.
void hold_standard_streams();

/// Throws InvalidArgument if the stack may not grow to what the ranks need.
void check_stack();

/// Prints the error and returns the exit code of a rejected line. A launcher ends all processes when one has
/// failed, so rank 0 prints at once and another rank only if it still runs some seconds later, or has a
/// terminal of its own.
[[nodiscard]] int end_rejected(const std::optional<weft::LaunchEnvironment>& launched,
                               const weft::InvalidArgument& error);

/// Flushes the standard output and returns `code`. If that fails, prints why and returns 1 instead of 0.
[[nodiscard]] int flush_output(int code);

}  // namespace command
