#include "weft/policy/reuse.hpp"

#include <doctest/doctest.h>

using doctest::Contains;
using weft::DitShape;
using weft::InvalidArgument;
using weft::Placement;
using weft::Range;
using weft::Reuse;

TEST_CASE("reuse: of every step but each third, counted from the first") {
  CHECK(weft::reuse_between(3, 8, 2) == Reuse{{1, 2, 4, 5, 7}, 2});
  CHECK(weft::reuse_between(1, 8).empty());
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

  DitShape crossed{.blocks = 4, .differing = {{}, {}, {}, {.skip_from = 1}}};
  Reuse{{1}}.check(8, crossed);
  CHECK_THROWS_WITH_AS((Reuse{{1}, 1}.check(8, crossed)),
                       "block 3 runs in every step and reads the output of block 1, which is left out in "
                       "some; use 0 blocks at either end",
                       InvalidArgument);
  crossed.differing[3].skip_from = 0;
  Reuse{{1}, 1}.check(8, crossed);
}
