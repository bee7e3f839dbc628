// Text encoders and the autoencoder in the ranks of an NCCL world.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../options/options.hpp"
#include "../run/bands.hpp"
#include "../run/encoded_texts.hpp"
#include "weft/comm/nccl.cuh"
#include "weft/core/progress.hpp"

namespace command {

/// Do what Stages::encode and Stages::decode say, in options.dtype, and in bf16 for fp8, in which
/// transformers' blocks alone compute.
[[nodiscard]] EncodedTexts encode_over_nccl(weft::nccl::World& world, const Options& options,
                                            const std::vector<std::string>& texts,
                                            const weft::Progress& progress);
[[nodiscard]] weft::Tensor decode_over_nccl(weft::nccl::World& world, const Options& options,
                                            const std::filesystem::path& autoencoder,
                                            const LatentBands& latents, const weft::Progress& progress);

}  // namespace command
