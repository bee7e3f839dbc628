// Sources of a weight's numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "weft/core/dtype.hpp"
#include "weft/core/noise.hpp"
#include "weft/core/range.hpp"

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

/// A product of low rank, scale · up · down, that is added to a matrix; both factors are row-major.
struct LowRankTerm {
  const float* up;    // (rows, rank)
  const float* down;  // (rank, columns)
  Index rank, columns;
  float scale;
};

/// Numbers of a file, of a matrix or none, to which products are added where they are read. The factors must
/// live until then.
struct MergedNumbers {
  MergedNumbers(const StoredNumbers& numbers, std::vector<LowRankTerm> terms = {})
      : stored(numbers), added(std::move(terms)) {}

  StoredNumbers stored;
  std::vector<LowRankTerm> added;

  /// Writes numbers `first` to `first + count`, which are whole rows where products are added.
  void copy(Index first, Index count, float* to) const {
    const std::size_t size = size_of(stored.dtype);
    to_float(stored.dtype, stored.bytes.data() + static_cast<std::size_t>(first) * size,
             static_cast<std::size_t>(count), to);
    for (const LowRankTerm& term : added)
      for (Index row = 0; row < count / term.columns; ++row) {
        const float* const up = term.up + (first / term.columns + row) * term.rank;
        float* const out = to + row * term.columns;
        for (Index k = 0; k < term.rank; ++k) {
          const float factor = term.scale * up[k];
          const float* const down = term.down + k * term.columns;
          for (Index column = 0; column < term.columns; ++column) out[column] += factor * down[column];
        }
      }
  }
};

}  // namespace weft::inline v0_1
