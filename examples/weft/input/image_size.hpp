// Sizes of images that a model can generate.
#pragma once

#include <algorithm>
#include <string_view>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace command {

/// Pixels on a side of an element of an autoencoder's latents.
constexpr weft::Index latent_pixels = 8;

/// The ratio of pixels to latents and tokens.
struct PixelScale {
  weft::Index pixels_per_element = 1;  // of the latents, on a side
  weft::Index patch = 1;               // elements on a side of a token

  weft::Index pixels_per_token() const { return pixels_per_element * patch; }
};

/// Returns a side in elements of the latents. Throws InvalidArgument, with `name`, unless `pixels` is a whole
/// number of tokens, at least one, and at most 16384.
inline weft::Index checked_side(std::string_view name, weft::Index pixels, const PixelScale& scale) {
  constexpr weft::Index longest = 16384;
  const weft::Index unit = scale.pixels_per_token();
  const weft::Index nearest = std::clamp((pixels + unit / 2) / unit, weft::Index{1}, longest / unit) * unit;
  if (pixels < unit || pixels % unit != 0)
    weft::reject(name, " is ", pixels, " pixels and must be a multiple of ", unit, "; ", nearest,
                 " would do");
  if (pixels > longest)
    weft::reject(name, " is ", pixels, " pixels, and at most ", longest, " can be generated; ", nearest,
                 " would do");
  return pixels / scale.pixels_per_element;
}

}  // namespace command
