#include "weft/core/head_split.hpp"

#include <doctest/doctest.h>

#include <vector>

using weft::HeadSplit;
using weft::Index;
using weft::Range;

TEST_CASE("HeadSplit: every query head is with its key head, on exactly one rank") {
  for (const Index keys : {1, 2, 3, 4})
    for (const Index group : {1, 2, 3, 6, 8})
      for (int ranks = 1; ranks <= keys * group; ++ranks) {
        CAPTURE(keys);
        CAPTURE(group);
        CAPTURE(ranks);
        const HeadSplit heads{keys * group, keys, ranks};
        Index next = 0;
        for (int rank = 0; rank < ranks; ++rank) {
          const Range own = heads.queries_of(rank);
          CHECK(own.begin == next);
          CHECK(own.size() > 0);
          next = own.end;
          std::vector<Index> kept(static_cast<std::size_t>(heads.keys_of(rank).size()), -1);
          heads.for_each_stretch(rank, [&](Range from, Range to) {
            REQUIRE(from.size() == to.size());
            for (Index i = 0; i < to.size(); ++i)
              kept.at(static_cast<std::size_t>(to.begin + i)) = from.begin + i;
          });
          REQUIRE(own.size() % static_cast<Index>(kept.size()) == 0);
          const Index each = own.size() / static_cast<Index>(kept.size());
          for (Index h = 0; h < own.size(); ++h)
            CHECK(kept[static_cast<std::size_t>(h / each)] == (own.begin + h) / group);
        }
        CHECK(next == keys * group);
      }
}

TEST_CASE("HeadSplit: key heads are copied only where there are more ranks") {
  CHECK(HeadSplit{16, 16, 5}.copies() == 1);
  CHECK(HeadSplit{16, 4, 4}.copies() == 1);
  CHECK(HeadSplit{16, 4, 3}.copies() == 1);
  CHECK(HeadSplit{16, 4, 5}.copies() == 2);
  CHECK(HeadSplit{16, 4, 9}.copies() == 4);
  CHECK(HeadSplit{12, 2, 5}.copies() == 3);
}
