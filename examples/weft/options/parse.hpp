// The command line, from its arguments to options that fit together.
#pragma once

#include <optional>

#include "options.hpp"

namespace command {

/// Returns the options on the line, or nothing where it asks for help or the version, which is printed.
/// Throws InvalidArgument for a line that cannot be parsed and for values that contradict each other.
[[nodiscard]] std::optional<Options> parse(int argc, char** argv);

/// Returns the options of a process that `launched` describes. Throws InvalidArgument if they contradict the
/// launcher, or an option has no effect.
[[nodiscard]] Options with_launcher(Options options, const std::optional<weft::LaunchEnvironment>& launched);

}  // namespace command
