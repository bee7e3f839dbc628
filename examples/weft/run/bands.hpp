// Latents in bands of rows, between the denoising loop and the decoder.
#pragma once

#include <vector>

#include "weft/core/tensor.hpp"

namespace command {

/// Latents (images, channels, height, width), of which a rank holds the rows split(height, ranks, rank). A
/// process has those of its own ranks; the others are empty.
struct LatentBands {
  weft::Index height = 0;
  std::vector<weft::Tensor> of_rank{};
};

/// Cuts whole latents into the bands of so many ranks of this process.
[[nodiscard]] LatentBands cut_into_bands(const weft::Tensor& latents, weft::Index ranks);

}  // namespace command
