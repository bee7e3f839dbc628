// The memories that ranks of this process compute in, and the model's weights in each.
#pragma once

#include <deque>
#include <vector>

#include "weft/core/range.hpp"

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

/// A model a memory, with the blocks that ranks there run, which blocks_of(rank) gives. `make(at, blocks,
/// others)` puts one before those in `at`; what `others` have need not be loaded again. The first memory is
/// the current one after that.
template <class Model, class BlocksOf, class Make>
std::deque<Model> models_in(const Memories& memories, const OwnRanks& ranks, const BlocksOf& blocks_of,
                            const Make& make) {
  std::deque<Model> models;
  for (int memory = memories.count; memory-- > 0;) {
    std::vector<weft::Range> blocks;
    for (const int rank : ranks.own)
      if (memories.of(rank, ranks.world, memories.count) == memory)
        for (const weft::Range& range : blocks_of(rank)) blocks.push_back(range);
    std::vector<const Model*> others;
    for (const Model& model : models) others.push_back(&model);
    memories.choose(memory, memories.count);
    make(models, weft::united(blocks), others);
  }
  return models;
}

}  // namespace command
