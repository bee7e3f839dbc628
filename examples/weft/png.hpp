// Images as PNG files.
#pragma once

#include <cstddef>
#include <vector>

#include "weft/core/tensor.hpp"

namespace command {

/// A state (3, height, width) of red, green and blue, clamped to [−1, 1]. The same state, the same bytes.
std::vector<std::byte> to_png(const weft::Tensor& image);

}  // namespace command
