// The memories that ranks of this process compute in, and the model's weights in each.
#pragma once

#include <deque>
#include <map>
#include <ranges>
#include <utility>
#include <vector>

#include "weft/model/portion.hpp"

namespace command {

/// `choose(i, count)` makes memory i of `count` the current one, to which what is in the others can be
/// copied; `of(rank, ranks, count)` is where a rank computes.
struct Memories {
  int count = 1;
  void (*choose)(int memory, int count) = [](int, int) {};
  int (*of)(int rank, int ranks, int count) = [](int, int, int) { return 0; };
};

/// Ranks of this process, of so many in the world.
struct OwnRanks {
  std::vector<int> own;
  int world = 1;

  /// All of a world of this process.
  static OwnRanks all(weft::Index world) {
    OwnRanks out{{}, static_cast<int>(world)};
    for (int rank = 0; rank < out.world; ++rank) out.own.push_back(rank);
    return out;
  }
};

/// Models, and which of them each rank of this process uses.
template <class Model>
struct ModelsOfRanks {
  std::deque<Model> models;  // those of the first memory are the first
  std::map<int, const Model*> by_rank{};

  const Model& of(int rank) const { return *by_rank.at(rank); }
};

/// Makes a model for each memory and slice, with the blocks that ranks there run; portion_of(rank) gives
/// both. `make(at, portion, others)` puts one before those in `at`; what `others` have need not be loaded
/// again. The first memory is the current one after that.
template <class Model, class PortionOf, class Make>
ModelsOfRanks<Model> models_in(const Memories& memories, const OwnRanks& ranks, const PortionOf& portion_of,
                               const Make& make) {
  std::map<std::pair<int, weft::TensorSlice>, std::vector<int>> sharers;
  for (const int rank : ranks.own)
    sharers[{memories.of(rank, ranks.world, memories.count), portion_of(rank).slice}].push_back(rank);
  ModelsOfRanks<Model> out;
  for (const auto& [place, own] : std::views::reverse(sharers)) {
    std::vector<weft::Range> blocks;
    for (const int rank : own)
      for (const weft::Range& range : portion_of(rank).blocks) blocks.push_back(range);
    typename Model::Others others;
    for (const Model& model : out.models) others.push_back(&model);
    memories.choose(place.first, memories.count);
    make(out.models, weft::Portion(weft::united(blocks), place.second), others);
    for (const int rank : own) out.by_rank[rank] = &out.models.front();
  }
  return out;
}

}  // namespace command
