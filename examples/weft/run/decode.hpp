// The command `decode`.
#pragma once

#include <filesystem>

#include "../options/options.hpp"
#include "bands.hpp"
#include "weft/core/trace.hpp"

namespace command {

/// Decodes a file of latents on ranks of this process, and writes the images. Throws InvalidArgument if
/// files or options are not valid.
void decode(const Options& options);

/// Returns the images of latents, by the autoencoder in a folder, on options' backend and ranks of this
/// process. Throws InvalidArgument if one of them is not valid.
[[nodiscard]] weft::Tensor decoded(const Options& options, const std::filesystem::path& autoencoder,
                                   const LatentBands& latents, weft::Trace* trace);

}  // namespace command
