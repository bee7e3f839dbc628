// What a program owes the system and its users, whatever it computes.
#pragma once

#include "weft/comm/job/launch_environment.hpp"

namespace command {

/// Keeps files that are opened later from becoming a standard stream that is closed: using it fails as
/// before.
void hold_standard_streams();

/// Throws InvalidArgument if the stack may not grow to what the ranks need.
void check_stack();

/// Says what was rejected, and returns the exit code for it. A launcher ends all processes when one has
/// failed: rank 0 goes first, and another rank says it only if it is still there some seconds later, or at
/// once if it has a terminal of its own.
int end_rejectd(const std::optional<weft::LaunchEnvironment>& launched,
                const weft::InvalidArgument& rejection);

/// The exit code, or 1, with a sentence, where the standard output could not be written.
int end_written(int code);

}  // namespace command
