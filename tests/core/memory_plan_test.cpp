#include "weft/core/memory_plan.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using weft::Index;
using weft::Lifetime;
using weft::MemoryPlan;

TEST_CASE("plan_memory: pieces that are needed at once do not overlap") {
  std::mt19937 generator(4);
  std::vector<Lifetime> pieces;
  for (std::size_t begin = 0; begin < 300; ++begin)
    pieces.push_back({.bytes = static_cast<Index>(generator() % 5000),
                      .begin = begin,
                      .end = begin + 1 + generator() % 20});
  const MemoryPlan plan = weft::plan_memory(pieces);
  REQUIRE(plan.offsets.size() == pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    CHECK(plan.offsets[i] % 256 == 0);
    CHECK(plan.offsets[i] + pieces[i].bytes <= plan.bytes);
    for (std::size_t j = 0; j < i; ++j)
      if (pieces[i].begin < pieces[j].end)
        CHECK((plan.offsets[j] + pieces[j].bytes <= plan.offsets[i] ||
               plan.offsets[i] + pieces[i].bytes <= plan.offsets[j]));
  }
}

TEST_CASE(
    "plan_memory: the memory is as large as what is needed at once, where outputs outlive their inputs") {
  const std::vector<Lifetime> pieces{{.bytes = 100, .begin = 0, .end = 2},
                                     {.bytes = 512, .begin = 1, .end = 3},
                                     {.bytes = 512, .begin = 2, .end = 4},
                                     {.bytes = 2048, .begin = 3, .end = 4}};
  CHECK(weft::plan_memory(pieces).bytes == 512 + 2048);
  CHECK(weft::plan_memory({}).bytes == 0);
}
