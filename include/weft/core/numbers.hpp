// Sources of a weight's numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "weft/core/dtype.hpp"
#include "weft/core/noise.hpp"

namespace weft::inline v0_1 {

/// Numbers as a file holds them.
struct StoredNumbers {
  Dtype dtype;
  std::span<const std::byte> bytes;  // row-major, not aligned
};

/// Normally distributed numbers; number i of a stream is the same on every rank.
struct RandomNumbers {
  std::uint64_t seed;
  std::uint32_t stream;
  float mean, deviation;

  WEFT_HOST_DEVICE float operator[](std::uint64_t i) const {
    return deviation == 0 ? mean : mean + deviation * normal(seed, stream, i);
  }
};

}  // namespace weft::inline v0_1
