// Half-open index ranges, and the one rule by which weft splits tokens, blocks, heads and work.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weft::inline v0_1 {

using Index = std::int64_t;

struct Range {
  Index begin = 0;
  Index end = 0;

  constexpr Index size() const { return end - begin; }
  constexpr bool empty() const { return end == begin; }
  constexpr bool contains(Index i) const { return begin <= i && i < end; }
  constexpr Range operator+(Index offset) const { return {begin + offset, end + offset}; }
  friend constexpr bool operator==(const Range&, const Range&) = default;
};

/// Returns the intersection of `range` with `other`; where it is empty, an empty range inside `range`.
constexpr Range common(Range range, Range other) {
  const Index begin = std::clamp(other.begin, range.begin, range.end);
  return {begin, std::clamp(other.end, begin, range.end)};
}

/// Returns part `i` of [0, n) in `parts` parts: [n·i/parts, n·(i+1)/parts). Sizes differ by at most one, and
/// parts may be empty, so that `n` need not be divisible.
constexpr Range split(Index n, Index parts, Index i) { return {n * i / parts, n * (i + 1) / parts}; }

/// Returns part `i` of a range in `parts` parts.
constexpr Range split(Range r, Index parts, Index i) { return split(r.size(), parts, i) + r.begin; }

/// Returns the union of the ranges: sorted, without overlaps and without empty ranges.
inline std::vector<Range> united(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> out;
  for (const Range& range : ranges) {
    if (range.empty()) continue;
    if (!out.empty() && range.begin <= out.back().end)
      out.back().end = std::max(out.back().end, range.end);
    else
      out.push_back(range);
  }
  return out;
}

}  // namespace weft::inline v0_1
