#include "../../../examples/weft/run/memories.hpp"

#include <doctest/doctest.h>

#include <utility>

using command::Memories;
using command::OwnRanks;
using weft::Range;

namespace {

using Blocks = std::vector<Range>;

/// The arguments a model was made with.
struct Model {
  Blocks blocks;
  std::vector<Blocks> others;
};

int chosen = -1;

std::deque<Model> made(const Memories& memories, const OwnRanks& ranks) {
  const auto blocks_of = [](int rank) { return Blocks{{rank, rank + 1}, {7 - rank, 8 - rank}}; };
  return command::models_in<Model>(
      memories, ranks, blocks_of,
      [](std::deque<Model>& at, const Blocks& blocks, const std::vector<const Model*>& others) {
        Model model{blocks, {}};
        for (const Model* other : others) model.others.push_back(other->blocks);
        at.push_front(std::move(model));
      });
}

}  // namespace

TEST_CASE("Every memory has the blocks of its own ranks, and copies from those made before") {
  const Memories two{2, [](int memory, int) { chosen = memory; },
                     [](int rank, int ranks, int count) { return rank * count / ranks; }};
  const auto models = made(two, OwnRanks::all(4));
  REQUIRE(models.size() == 2);
  CHECK(models[0].blocks == Blocks{{0, 2}, {6, 8}});
  CHECK(models[1].blocks == Blocks{{2, 6}});
  CHECK(models[0].others == std::vector<Blocks>{models[1].blocks});
  CHECK(models[1].others.empty());
  CHECK(chosen == 0);
}

TEST_CASE(
    "Ranks of one memory share a model of all their blocks, and a process of one rank has its own alone") {
  CHECK(made({}, OwnRanks::all(4)).front().blocks == Blocks{{0, 8}});
  CHECK(made({}, {{1}, 4}).front().blocks == Blocks{{1, 2}, {6, 7}});
}
