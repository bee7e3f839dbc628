// Sizes of images that a model can generate.
#pragma once

#include "weft/pipeline/image_size.hpp"

namespace command {

using weft::pipeline::checked_side;
using weft::pipeline::PixelScale;

/// Pixels on a side of an element of an autoencoder's latents.
constexpr weft::Index latent_pixels = 8;

}  // namespace command
