// Sizes of images in pixels, and of their latents.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1::pipeline {

struct PixelSize {
  Index height = 0, width = 0;

  friend constexpr bool operator==(const PixelSize&, const PixelSize&) = default;
};

/// Returns a text such as "768 × 1024", the height first.
inline std::string to_string(const PixelSize& size) { return sentence(size.height, " × ", size.width); }

/// The ratio of pixels to latents and tokens.
struct PixelScale {
  Index pixels_per_element = 1;  // of the latents, on a side
  Index patch = 1;               // elements on a side of a token

  constexpr Index pixels_per_token() const { return pixels_per_element * patch; }
};

/// Returns a side in elements of the latents. Throws InvalidArgument, with `name`, unless `pixels` is a whole
/// number of tokens, at least one, and at most 16384.
inline Index checked_side(std::string_view name, Index pixels, const PixelScale& scale) {
  constexpr Index longest = 16384;
  const Index unit = scale.pixels_per_token();
  const Index nearest = std::clamp((pixels + unit / 2) / unit, Index{1}, longest / unit) * unit;
  if (pixels < unit || pixels % unit != 0)
    reject(name, " is ", pixels, " pixels and must be a multiple of ", unit, "; ", nearest, " would do");
  if (pixels > longest)
    reject(name, " is ", pixels, " pixels, and at most ", longest, " can be generated; ", nearest,
           " would do");
  return pixels / scale.pixels_per_element;
}

}  // namespace weft::inline v0_1::pipeline
