// PNG files that the command has written.
#pragma once

#include <png.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "weft/core/tensor.hpp"

struct Image {
  weft::Index height, width;
  std::vector<png_byte> levels;  // (height, width, 3)
};

inline Image image_in(const std::filesystem::path& file) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&header, file.c_str())) throw std::runtime_error(header.message);
  header.format = PNG_FORMAT_RGB;
  Image image{header.height, header.width, std::vector<png_byte>(PNG_IMAGE_SIZE(header))};
  if (!png_image_finish_read(&header, nullptr, image.levels.data(), 0, nullptr))
    throw std::runtime_error(header.message);
  return image;
}

/// Returns the largest difference from latents (3, height, width), in grey levels.
inline double difference(const Image& image, const weft::Tensor& latents) {
  double most = 0;
  for (weft::Index y = 0; y < image.height; ++y)
    for (weft::Index x = 0; x < image.width; ++x)
      for (weft::Index c = 0; c < 3; ++c) {
        const float wanted = (std::clamp(latents.view<3>()[c][y][x], -1.0f, 1.0f) + 1) * 127.5f;
        const auto at = static_cast<std::size_t>((y * image.width + x) * 3 + c);
        most = std::max(most, std::abs(static_cast<double>(image.levels[at]) - wanted));
      }
  return most;
}
