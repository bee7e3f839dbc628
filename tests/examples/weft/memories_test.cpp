#include "../../../examples/weft/run/memories.hpp"

#include <doctest/doctest.h>

#include <utility>

using command::Memories;
using command::OwnRanks;
using weft::Portion;
using weft::Range;

namespace {

using Blocks = std::vector<Range>;

/// The arguments a model was made with.
struct Model {
  using Others = std::vector<const Model*>;

  Blocks blocks;
  weft::TensorSlice slice;
  std::vector<Blocks> others;
};

int chosen = -1;

/// Makes models for ranks with blocks of their own, or for slices of so many of all blocks.
command::ModelsOfRanks<Model> made(const Memories& memories, const OwnRanks& ranks, int slices = 1) {
  const auto portion_of = [slices](int rank) {
    if (slices > 1) return Portion({{0, 8}}, {rank % slices, slices});
    return Portion(Blocks{{rank, rank + 1}, {7 - rank, 8 - rank}});
  };
  return command::models_in<Model>(
      memories, ranks, portion_of,
      [](std::deque<Model>& at, const Portion& portion, const Model::Others& others) {
        Model model{portion.blocks, portion.slice, {}};
        for (const Model* other : others) model.others.push_back(other->blocks);
        at.push_front(std::move(model));
      });
}

}  // namespace

TEST_CASE("Every memory has the blocks of its own ranks, and copies from those made before") {
  const Memories two{2, [](int memory, int) { chosen = memory; },
                     [](int rank, int ranks, int count) { return rank * count / ranks; }};
  const auto all = made(two, OwnRanks::all(4));
  const std::deque<Model>& models = all.models;
  REQUIRE(models.size() == 2);
  CHECK(models[0].blocks == Blocks{{0, 2}, {6, 8}});
  CHECK(models[1].blocks == Blocks{{2, 6}});
  CHECK(models[0].others == std::vector<Blocks>{models[1].blocks});
  CHECK(models[1].others.empty());
  for (const int rank : {0, 1, 2, 3}) CHECK(&all.of(rank) == &models[rank < 2 ? 0 : 1]);
  CHECK(chosen == 0);
}

TEST_CASE("Ranks of one memory share a model where they have the same slice") {
  const auto all = made({}, OwnRanks::all(4), 2);
  REQUIRE(all.models.size() == 2);
  CHECK(&all.of(0) == &all.of(2));
  CHECK(&all.of(1) == &all.of(3));
  CHECK(all.of(0).slice == weft::TensorSlice{0, 2});
  CHECK(all.of(3).slice == weft::TensorSlice{1, 2});
}

TEST_CASE(
    "Ranks of one memory share a model of all their blocks, and a process of one rank has its own alone") {
  CHECK(made({}, OwnRanks::all(4)).models.front().blocks == Blocks{{0, 8}});
  CHECK(made({}, {{1}, 4}).models.front().blocks == Blocks{{1, 2}, {6, 7}});
}
