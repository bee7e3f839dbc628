// The command `decode`.
#pragma once

#include "../options/options.hpp"

namespace command {

/// Decodes a file of latents on threads of this process, and writes the images. Throws InvalidArgument if
/// files or options are not valid.
void decode(const Options& options);

}  // namespace command
