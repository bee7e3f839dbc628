// MemoryPlan: where pieces lie in one memory that are not all needed at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// A piece that is needed from moment `begin` to before moment `end`.
struct Lifetime {
  Index bytes = 0;
  std::size_t begin = 0, end = 0;
};

struct MemoryPlan {
  std::vector<Index> offsets{};  // of the pieces, multiples of 256
  Index bytes = 0;               // of the memory
};

/// Places pieces so that no two which are needed at once overlap: the largest first, each as low as it can
/// lie, after Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020.
[[nodiscard]] inline MemoryPlan plan_memory(std::span<const Lifetime> pieces) {
  constexpr Index alignment = 256;
  const auto size = [pieces](std::size_t i) {
    return (pieces[i].bytes + alignment - 1) / alignment * alignment;
  };
  const auto meet = [pieces](std::size_t i, std::size_t j) {
    return pieces[i].begin < pieces[j].end && pieces[j].begin < pieces[i].end;
  };
  std::vector<std::size_t> largest_first(pieces.size());
  std::iota(largest_first.begin(), largest_first.end(), std::size_t{0});
  std::ranges::stable_sort(largest_first, std::ranges::greater{}, size);

  MemoryPlan out{std::vector<Index>(pieces.size())};
  std::vector<std::size_t> lowest_first;  // of those that have a place
  const auto offset = [&out](std::size_t i) { return out.offsets[i]; };
  for (const std::size_t i : largest_first) {
    Index end = 0;  // of the pieces below
    for (const std::size_t j : lowest_first) {
      if (!meet(i, j)) continue;
      if (offset(j) - end >= size(i)) break;
      end = std::max(end, offset(j) + size(j));
    }
    out.offsets[i] = end;
    out.bytes = std::max(out.bytes, end + size(i));
    lowest_first.insert(std::ranges::upper_bound(lowest_first, end, {}, offset), i);
  }
  return out;
}

}  // namespace weft::inline v0_1
