// Images as PNG files.
#pragma once

#include <cstddef>
#include <vector>

#include "weft/core/tensor.hpp"

namespace command {

/// Returns an image (3, height, width) of red, green and blue, clamped to [−1, 1], as the bytes of a PNG
/// file. Equal images give equal bytes.
[[nodiscard]] std::vector<std::byte> to_png(const weft::Tensor& image);

}  // namespace command
