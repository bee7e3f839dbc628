// The command `decode`.
#pragma once

#include <filesystem>

#include "../options/options.hpp"
#include "bands.hpp"
#include "stages.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/trace.hpp"

namespace command {

/// Decodes a file of latents on the ranks of `stages`, which record in the trace, if it is not null. Rank 0's
/// process prints and writes. Throws InvalidArgument if files or options are not valid, or if processes
/// differ in the latents.
void decode(const Options& options, Stages& stages, const weft::Trace* trace);

/// Returns the images of latents, by the autoencoder in a folder, on options' backend and ranks of this
/// process. Throws InvalidArgument if one of them is not valid.
[[nodiscard]] weft::Tensor decoded(const Options& options, const std::filesystem::path& autoencoder,
                                   const LatentBands& latents, const weft::Progress& progress,
                                   weft::Trace* trace);

}  // namespace command
