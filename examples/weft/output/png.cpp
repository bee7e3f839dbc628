#include "png.hpp"

#include <png.h>

#include <stdexcept>
#include <string>

#include "weft/pipeline/levels.hpp"

namespace command {

std::vector<std::byte> to_png(const weft::Tensor& image) {
  const std::vector<png_byte> levels = weft::pipeline::levels_of(image);
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.height = static_cast<png_uint_32>(image.shape[1]);
  header.width = static_cast<png_uint_32>(image.shape[2]);
  header.format = PNG_FORMAT_RGB;
  header.flags = PNG_IMAGE_FLAG_FAST;  // in less than half of the time
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<std::byte> file(size);
  if (!png_image_write_to_memory(&header, file.data(), &size, 0, levels.data(), 0, nullptr))
    throw std::runtime_error(std::string("libpng: ") + header.message);
  file.resize(size);
  return file;
}

}  // namespace command
