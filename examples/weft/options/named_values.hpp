// Options whose values are names: as the line has them, and what they mean.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"

namespace command {

/// Names on the line; an empty one is left to its default.
struct NamedValues {
  std::string ring_cache = "automatic", mesh = "auto", backend, dtype, attention, resolution_binning, cache;
  std::vector<std::string> loras;  // FILE[:SCALE]
};

/// Sets the ring cache, the planner's choice, resolution binning, the adapters, the step cache, the backend,
/// the dtype and attention's. Throws InvalidArgument for a name that does not exist, and for a backend or
/// dtype that the command cannot use.
void set_named_values(Options& options, const NamedValues& names);

}  // namespace command
