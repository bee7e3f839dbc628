// Sources of a weight's numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "weft/core/dtype.hpp"
#include "weft/core/host_device.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// Numbers as a file holds them.
struct StoredNumbers {
  Dtype dtype;
  std::span<const std::byte> bytes;  // row-major, not aligned
};

/// The numbers of a part of a matrix, in the row-major order of the whole: where its first row begins, and
/// how far the begins of two rows are apart.
struct MatrixPart {
  Index first = 0, pitch = 0;

  /// Returns where row `i` begins.
  WEFT_HOST_DEVICE constexpr Index row(Index i) const { return first + i * pitch; }
};

/// Normally distributed numbers, which `drawn` of noise.hpp draws; number i of a stream is the same on every
/// rank.
struct RandomNumbers {
  std::uint64_t seed;
  std::uint32_t stream;
  float mean, deviation;
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

  /// Writes numbers `first` to `first + count`.
  void copy(Index first, Index count, float* to) const {
    const std::size_t size = size_of(stored.dtype);
    to_float(stored.dtype, stored.bytes.data() + static_cast<std::size_t>(first) * size,
             static_cast<std::size_t>(count), to);
    for (const LowRankTerm& term : added)
      for (Index done = 0, run = 0; done < count; done += run) {
        const Index row = (first + done) / term.columns, begin = (first + done) % term.columns;
        run = std::min(term.columns - begin, count - done);
        const float* const up = term.up + row * term.rank;
        for (Index k = 0; k < term.rank; ++k) {
          const float factor = term.scale * up[k];
          const float* const down = term.down + k * term.columns + begin;
          for (Index i = 0; i < run; ++i) to[done + i] += factor * down[i];
        }
      }
  }
};

}  // namespace weft::inline v0_1
