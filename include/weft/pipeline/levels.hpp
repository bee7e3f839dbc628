// Levels: images as numbers from 0 to 255.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "weft/core/tensor.hpp"

namespace weft::inline v0_1::pipeline {

/// Returns the levels (height, width, channels) of an image (channels, height, width) of −1 black and 1
/// white: 255 · (x/2 + 1/2), clamped, and rounded to the nearest, halves to the even one.
[[nodiscard]] inline std::vector<std::uint8_t> levels_of(const Tensor& image) {
  const View<const float, 3> pixels = image.view<3>();
  const auto [channels, height, width] = pixels.extent;
  std::vector<std::uint8_t> levels;
  levels.reserve(image.data.size());
  for (Index y = 0; y < height; ++y)
    for (Index x = 0; x < width; ++x)
      for (Index c = 0; c < channels; ++c)
        levels.push_back(static_cast<std::uint8_t>(
            std::nearbyint(255 * std::clamp(pixels[c][y][x] / 2 + 0.5f, 0.0f, 1.0f))));
  return levels;
}

}  // namespace weft::inline v0_1::pipeline
