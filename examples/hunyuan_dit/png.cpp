#include "png.hpp"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace command {

namespace {

/// (height, width, 3) of 0 to 255.
std::vector<png_byte> levels_of(const weft::Tensor& picture) {
  const auto state = picture.view<3>();
  const auto [channels, height, width] = state.extent;
  std::vector<png_byte> levels;
  for (weft::Index y = 0; y < height; ++y)
    for (weft::Index x = 0; x < width; ++x)
      for (weft::Index c = 0; c < channels; ++c)
        levels.push_back(
            static_cast<png_byte>(std::lround((std::clamp(state[c][y][x], -1.0f, 1.0f) + 1) * 127.5f)));
  return levels;
}

}  // namespace

std::vector<std::byte> to_png(const weft::Tensor& picture) {
  const std::vector<png_byte> levels = levels_of(picture);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(picture.shape[1]);
  image.width = static_cast<png_uint_32>(picture.shape[2]);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> file(size);
  if (!png_image_write_to_memory(&image, file.data(), &size, 0, levels.data(), 0, nullptr))
    throw std::runtime_error(std::string("libpng: ") + image.message);
  file.resize(size);
  return file;
}

}  // namespace command
