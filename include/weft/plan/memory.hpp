// How much of a GPU's memory a mesh takes.
#pragma once

#include <algorithm>

#include "weft/plan/block_cost.hpp"
#include "weft/policy/pipeline.hpp"

namespace weft {

/// Bytes of a block's weights: attentions, feed-forward layer, the shift of its first norm, the skip's.
constexpr double weight_bytes(const DitShape& model, bool reads_skip, Index element_bytes) {
  const Index c = model.width;
  const Index attention = 4 * c * c + (model.text_length > 0 ? 2 * c * c + 2 * c * model.text_width : 0);
  const Index rest = 2 * c * model.ffn_width() + c * c + (reads_skip ? 2 * c * c : 0);
  return static_cast<double>((attention + rest) * element_bytes);
}

struct MemoryUse {
  double weights = 0, keys = 0, activations = 0;

  constexpr double total() const { return weights + keys + activations; }
};

/// Of a rank of one stage: its blocks, the keys and values that it keeps, activations and scratch memory.
inline MemoryUse memory_use(const CostModel& cost, const std::vector<Range>& blocks) {
  const DitShape& model = cost.model;
  const Index rows = cost.rows(cost.request.tokens);
  MemoryUse use;
  Index layers = 0, kept = 0;
  for (const Range& range : blocks)
    for (Index i = range.begin; i < range.end; ++i) {
      use.weights += weight_bytes(model, model.reads_skip(i), cost.request.element_bytes);
      ++layers, kept += model.is_kept(i);
    }
  const bool patches = cost.mesh.patch_count() > 1,
             rotates = cost.mesh.ring > 1 && !cost.mesh.copies_ring_cache();
  const Index stored = rotates ? cost.ring_rows(cost.request.tokens) : cost.request.tokens;
  use.keys = 2 * cost.head_bytes(stored) * static_cast<double>(patches ? layers : 1);
  if (rotates) use.keys += 4 * cost.head_bytes(stored);  // on their way
  if (cost.engine.keeps_text)
    use.keys += 2 * cost.activations(model.text_length) * static_cast<double>(layers);
  const double scratch = 1 + static_cast<double>(std::max(3 * model.width, model.ffn_width())) /
                                 static_cast<double>(model.width);
  use.activations = cost.activations(rows) * (1 + static_cast<double>(kept) + scratch);
  if (cost.mesh.ulysses > 1) use.activations += 2 * cost.head_bytes(cost.ring_rows(cost.request.tokens));
  return use;
}

/// What programs, libraries and the layers outside of the blocks leave of it.
constexpr double usable_memory(const Gpu& gpu) { return 0.92 * gpu.memory - 1e9; }

}  // namespace weft
