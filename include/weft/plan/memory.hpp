// How much of a device's memory a rank needs.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "weft/core/quantile.hpp"
#include "weft/core/scratch_limits.hpp"
#include "weft/plan/block_cost.hpp"
#include "weft/policy/pipeline.hpp"

namespace weft::inline v0_1::planner {

/// Numbers of a block's weights: `narrow` those of the tokens' linear layers, which may have a narrower type;
/// `wide` those of the shift of its first norm and the projection of the text; `norms` those of its norms.
struct WeightCount {
  Index narrow = 0, wide = 0, norms = 0;
};

constexpr WeightCount weight_count(const DitShape& model, bool reads_skip) {
  const Index c = model.width, ffn = model.ffn_width(), skip = reads_skip ? 1 : 0;
  const bool text = model.text_length > 0;
  const auto linear = [](Index outputs, Index inputs) { return outputs * (inputs + 1); };
  return {.narrow = (text ? 6 : 4) * linear(c, c) + linear(ffn, c) + linear(c, ffn) + skip * linear(c, 2 * c),
          .wide = linear(c, c) + (text ? linear(2 * c, model.text_width) : 0),
          .norms = (6 + 4 * skip) * c + (text ? 8 : 4) * model.head_dim};
}

/// Bytes. `preparing` is needed in addition only before the first step: for weights that are being converted
/// to a narrower type, or for operands on which algorithms of products are tried.
struct MemoryUse {
  double weights = 0, keys = 0, activations = 0, preparing = 0;

  constexpr double total() const { return weights + keys + activations + preparing; }
};

namespace detail {

/// Returns the bytes of keys and values: those of the text, and those that policies keep or receive. With one
/// patch and all heads on one rank they stay where the model computed them.
inline double key_bytes(const CostModel& cost, Index layers) {
  const Index tokens = cost.request.tokens;
  const Mesh& mesh = cost.mesh;
  const bool patches = mesh.patch_count() > 1, copies = mesh.copies_ring_cache();
  double bytes = 0;
  if (patches || mesh.ulysses > 1 || copies)
    bytes += 2 * cost.head_bytes(copies ? tokens : cost.ring_rows(tokens)) *
             static_cast<double>(patches ? layers : 1);
  if (mesh.ring > 1 && !copies) bytes += 4 * cost.head_bytes(cost.ring_rows(tokens));
  if (cost.engine.keeps_text)
    bytes += 2 * cost.activations(cost.model.text_length) * static_cast<double>(layers);
  return bytes;
}

/// Returns the bytes of activations in the evaluator, in Ulysses and Ring, and in the denoiser, where they
/// are float32.
inline double activation_bytes(const CostModel& cost, Index layers, Index kept) {
  const DitShape& model = cost.model;
  const Index ring_rows = cost.ring_rows(cost.request.tokens), rows = cost.rows(cost.request.tokens);
  const Index scratch = model.width + std::max(3 * model.width, model.ffn_width());
  const Index features = model.channels * model.patch * model.patch;
  const Index prompts = ceil_div(cost.request.prompts, cost.mesh.data);
  double bytes = cost.activations(rows) * static_cast<double>(1 + kept) + ScratchLimits::padding;
  bytes += static_cast<double>(rows * cost.images() * (scratch + features) * cost.request.element_bytes);
  if (cost.mesh.ulysses > 1) bytes += 2 * cost.head_bytes(ring_rows);
  Index floats = rows * features * (cost.images() + (3 + cost.request.branches) * prompts);
  if (cost.request.thresholds)  // magnitudes, and counts of their digits in float64
    floats += (rows * features + 2 * QuantileSearch::statistics * QuantileSearch::digits) * prompts;
  floats += 2 * rows * model.head_dim;                                        // rotation
  floats += (layers + 2) * cost.request.steps * cost.images() * model.width;  // modulation
  if (cost.mesh.ring > 1) floats += ring_rows * cost.images() * cost.heads();
  return bytes + 4.0 * static_cast<double>(floats);
}

/// Returns the bytes of receive buffers: two slots for each sender.
inline double message_bytes(const CostModel& cost) {
  if (!cost.engine.lands_messages) return 0;
  const Mesh& mesh = cost.mesh;
  const Index tokens = cost.request.tokens;
  const Index features = cost.model.channels * cost.model.patch * cost.model.patch;
  double bytes = 0;
  if (mesh.ring > 1)
    bytes += (mesh.copies_ring_cache() ? mesh.ring - 1 : 1) * 2 * cost.head_bytes(cost.ring_rows(tokens));
  if (mesh.pipe > 1) bytes += std::min(mesh.pipe - 1, 2) * cost.activations(cost.rows(tokens));
  bytes += 4.0 * static_cast<double>((mesh.cfg - 1) * cost.rows(tokens) * cost.images() * features);
  return 2 * bytes;
}

/// Returns the bytes that trying a product's algorithms takes: an input, three outputs and workspaces.
inline double trial_bytes(const CostModel& cost) {
  constexpr double workspaces = 2 * 67108864.0;
  const Index c = cost.model.width, wide = std::max(3 * c, cost.model.ffn_width());
  const Index rows = cost.rows(cost.request.tokens) * cost.images();
  return workspaces + static_cast<double>(rows * (c + 3 * wide) * cost.request.element_bytes);
}

}  // namespace detail

/// Returns the memory of a rank that holds exactly these blocks.
inline MemoryUse memory_use(const CostModel& cost, const std::vector<Range>& blocks) {
  const DitShape& model = cost.model;
  const Index element = cost.request.element_bytes;
  const bool narrows = cost.request.operand_bytes > 0 && cost.request.operand_bytes < element;
  Index layers = 0, kept = 0, narrow = 0, wide = model.other_weights, norms = 0;
  for (const Range& range : blocks)
    for (Index i = range.begin; i < range.end; ++i) {
      const WeightCount block = weight_count(model, model.reads_skip(i));
      narrow += block.narrow;
      wide += block.wide;
      norms += block.norms;
      kept += model.is_kept(i) ? 1 : 0;
      ++layers;
    }
  MemoryUse use{.weights = static_cast<double>(narrow * (narrows ? cost.request.operand_bytes : element) +
                                               wide * element + 4 * norms),
                .keys = detail::key_bytes(cost, layers),
                .activations = detail::activation_bytes(cost, layers, kept) + detail::message_bytes(cost)};
  if (cost.engine.tries_products) use.preparing = detail::trial_bytes(cost);
  if (narrows)
    use.preparing =
        std::max(use.preparing, static_cast<double>(narrow * element) - use.keys - use.activations);
  return use;
}

/// Returns the memory of the rank of a mesh that needs most.
inline MemoryUse largest_memory_use(const CostModel& cost) {
  DitShape placed = cost.model;
  placed.placement = cost.engine.placement_of(cost.model);
  MemoryUse most;
  for (int stage = 0; stage < cost.mesh.pipe; ++stage) {
    const MemoryUse use = memory_use(cost, pipeline_blocks(placed, cost.mesh.pipe, stage));
    if (use.total() > most.total()) most = use;
  }
  return most;
}

/// Returns the memory of ranks that share a device, and one copy of the weights of all their blocks; they
/// prepare one at a time.
inline MemoryUse shared_memory_use(const CostModel& cost, Range ranks) {
  DitShape placed = cost.model;
  placed.placement = cost.engine.placement_of(cost.model);
  MemoryUse all;
  std::vector<Range> blocks;
  for (Index rank = ranks.begin; rank < ranks.end; ++rank) {
    const std::vector<Range> own =
        pipeline_blocks(placed, cost.mesh.pipe, cost.mesh.coordinate(Axis::pipe, static_cast<int>(rank)));
    const MemoryUse use = memory_use(cost, own);
    all.keys += use.keys;
    all.activations += use.activations;
    all.preparing = std::max(all.preparing, use.preparing);
    blocks.insert(blocks.end(), own.begin(), own.end());
  }
  const MemoryUse together = memory_use(cost, united(std::move(blocks)));
  all.weights = together.weights;
  all.preparing = std::max(
      all.preparing, together.preparing + together.keys + together.activations - all.keys - all.activations);
  return all;
}

/// Returns the memory of the device that needs most, where a mesh's ranks are distributed over `count`
/// devices, neighbours together.
inline MemoryUse largest_shared_use(const CostModel& cost, Index count) {
  const Index ranks = cost.mesh.ranks();
  MemoryUse most;
  for (Index device = 0; device < count; ++device) {
    const Range own{ceil_div(device * ranks, count), ceil_div((device + 1) * ranks, count)};
    const MemoryUse use = shared_memory_use(cost, own);
    if (use.total() > most.total()) most = use;
  }
  return most;
}

/// Returns the bytes that programs, libraries and the driver leave of a GPU's memory.
constexpr double usable_memory(const Gpu& gpu) { return 0.92 * gpu.memory - 1e9; }

}  // namespace weft::inline v0_1::planner
