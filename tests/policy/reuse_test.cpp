#include "weft/policy/reuse.hpp"

#include <doctest/doctest.h>

using doctest::Contains;
using weft::DitShape;
using weft::InvalidArgument;
using weft::Placement;
using weft::Range;
using weft::Reuse;

TEST_CASE("reuse: Skip-Cache's steps are all but each third, counted from the first") {
  const DitShape folded{.blocks = 10, .placement = Placement::folded};
  CHECK(weft::skip_cache(3, 8, folded) == Reuse{{1, 2, 4, 5, 7}, 1});
  CHECK(weft::skip_cache(3, 1, folded) == Reuse{});
  CHECK(weft::skip_cache(9, 8, folded) == Reuse{{1, 2, 3, 4, 5, 6, 7}, 1});
  CHECK_THROWS_WITH_AS(static_cast<void>(weft::skip_cache(1, 8, folded)),
                       "every 1-th step is to be full, which leaves none to reuse; use 2 or more",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(static_cast<void>(weft::skip_cache(2, 8, {.blocks = 10})),
                       Contains("needs a model with long skips, and this one has none"), InvalidArgument);
}

TEST_CASE("reuse: TeaCache's steps are those below the threshold since the last full one") {
  // Distances: 0.25, 0.2, 0, 1, 0.5, 0.125.
  const weft::Tensor some({7, 2}, {3, -1, 4, -1, 4, 0, 4, 0, 8, 0, 4, 0, 4, 0.5f});
  CHECK(weft::teacache(some, 0.21) == Reuse{{2, 3, 6}});
  CHECK(weft::teacache(some, 0.3) == Reuse{{1, 3, 6}});
  CHECK(weft::teacache(some, 0.46) == Reuse{{1, 2, 3, 6}});
  CHECK(weft::teacache(some, 10) == Reuse{{1, 2, 3, 4, 5, 6}});
  CHECK(weft::teacache(some, 0.01) == Reuse{{3}});
}

TEST_CASE("reuse: its steps and blocks") {
  CHECK(Reuse{{1, 4}}.contains(4));
  CHECK(!Reuse{{1, 4}}.contains(3));
  CHECK(Reuse{{1}, 3}.blocks({.blocks = 10}) == Range{3, 7});
}

TEST_CASE("reuse: what cannot be is rejected in one sentence") {
  const DitShape folded{.blocks = 10, .placement = Placement::folded};
  const auto rejected = [&folded](const Reuse& reuse, const char* sentence) {
    CHECK_THROWS_WITH_AS(reuse.check(8, folded), Contains(sentence), InvalidArgument);
  };
  Reuse{}.check(1, folded);
  Reuse{{1, 7}, 4}.check(8, folded);
  rejected({{0, 3}}, "step 0 is to reuse an earlier one, and of 8 steps those from 1 to 7 can");
  rejected({{8}}, "step 8 is to reuse an earlier one, and of 8 steps those from 1 to 7 can");
  rejected({{3, 3}}, "step 3 is to reuse one after 3, and of 8 steps those from 4 to 7 can");
  rejected({{7, 8}}, "step 8 is to reuse one after 7, and of 8 steps none is left that can");
  rejected({{1}, 5},
           "5 blocks at either end are to run in every step, and of the model's 10 that leaves none out; use "
           "0 to 4");
  rejected({{1}, -1}, "-1 blocks at either end");
  rejected({{}, 2},
           "2 blocks at either end are to run in every step, and no step leaves any out; use 0, or name "
           "steps that do");

  DitShape crossed{.blocks = 4, .differing = {{}, {}, {}, {.skip_from = 1}}};
  Reuse{{1}}.check(8, crossed);
  CHECK_THROWS_WITH_AS((Reuse{{1}, 1}.check(8, crossed)),
                       "block 3 runs in every step and reads the output of block 1, which is left out in "
                       "some; use 0 blocks at either end",
                       InvalidArgument);
  crossed.differing[3].skip_from = 0;
  Reuse{{1}, 1}.check(8, crossed);
}
