// The autoencoder on CUDA devices; in a build without nvcc, absent.cpp rejects it.
#pragma once

#include <filesystem>

#include "../options/options.hpp"
#include "../run/bands.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/trace.hpp"

namespace command {

/// Decodes latents by the autoencoder in a folder, in bands on the ranks of this process: in options.dtype,
/// and in bf16 for fp8, in which transformers' blocks alone compute.
[[nodiscard]] weft::Tensor decode_on_cuda(const Options& options, const std::filesystem::path& autoencoder,
                                          const LatentBands& latents, const weft::Progress& progress,
                                          weft::Trace* trace);

}  // namespace command
