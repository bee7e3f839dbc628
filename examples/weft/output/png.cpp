#include "png.hpp"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace command {

namespace {

/// Returns levels (height, width, 3) from 0 to 255.
std::vector<png_byte> levels_of(const weft::Tensor& image) {
  const auto pixels = image.view<3>();
  const auto [channels, height, width] = pixels.extent;
  std::vector<png_byte> levels;
  for (weft::Index y = 0; y < height; ++y)
    for (weft::Index x = 0; x < width; ++x)
      for (weft::Index c = 0; c < channels; ++c)
        levels.push_back(
            static_cast<png_byte>(std::lround((std::clamp(pixels[c][y][x], -1.0f, 1.0f) + 1) * 127.5f)));
  return levels;
}

}  // namespace

std::vector<std::byte> to_png(const weft::Tensor& image) {
  const std::vector<png_byte> levels = levels_of(image);
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.height = static_cast<png_uint_32>(image.shape[1]);
  header.width = static_cast<png_uint_32>(image.shape[2]);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<std::byte> file(size);
  if (!png_image_write_to_memory(&header, file.data(), &size, 0, levels.data(), 0, nullptr))
    throw std::runtime_error(std::string("libpng: ") + header.message);
  file.resize(size);
  return file;
}

}  // namespace command
