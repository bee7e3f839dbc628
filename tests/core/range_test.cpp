#include "weft/core/range.hpp"

#include <doctest/doctest.h>

#include <vector>

using weft::Index;
using weft::Range;
using weft::split;

static_assert(Range{}.empty() && Range{2, 5}.size() == 3);
static_assert(Range{2, 5}.contains(2) && !Range{2, 5}.contains(5) && !Range{2, 5}.contains(1));
static_assert(Range{2, 5} + -2 == Range{0, 3});

TEST_CASE("split: parts are contiguous, and their sizes differ by at most one") {
  for (Index n = 0; n < 40; ++n)
    for (Index parts = 1; parts < 12; ++parts) {
      Index end = 0;
      for (Index i = 0; i < parts; ++i) {
        const Range part = split(n, parts, i);
        CHECK(part.begin == end);
        CHECK(part.size() >= n / parts);
        CHECK(part.size() <= (n + parts - 1) / parts);
        end = part.end;
      }
      CHECK(end == n);
    }
}

TEST_CASE("split: more parts than indices leave some empty") {
  static_assert(split(2, 5, 0).empty());
  static_assert(split(2, 5, 2) == Range{0, 1});
  static_assert(split(2, 5, 4) == Range{1, 2});
  static_assert(split(0, 3, 1) == Range{0, 0});
}

TEST_CASE("split: inside a range") {
  static_assert(split(Range{10, 17}, 3, 0) == Range{10, 12});
  static_assert(split(Range{10, 17}, 3, 1) == Range{12, 14});
  static_assert(split(Range{10, 17}, 3, 2) == Range{14, 17});
}

TEST_CASE("united: sorted, without overlaps and empty ranges") {
  using Ranges = std::vector<Range>;
  CHECK(weft::united({}) == Ranges{});
  CHECK(weft::united({{4, 4}}) == Ranges{});
  CHECK(weft::united({{6, 8}, {0, 2}, {2, 3}}) == Ranges{{0, 3}, {6, 8}});
  CHECK(weft::united({{0, 9}, {2, 3}, {8, 12}, {5, 5}}) == Ranges{{0, 12}});
}
