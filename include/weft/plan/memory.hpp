// How much of a device's memory a rank needs.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "weft/core/int8_keys.hpp"
#include "weft/engine/part.hpp"
#include "weft/plan/block_cost.hpp"
#include "weft/policy/pipeline.hpp"

namespace weft::inline v0_1::planner {

/// Bytes. `preparing` is needed in addition only before the first step: for weights that are being converted
/// to a narrower type, for what conditioning computes on its way, or for operands on which algorithms of
/// products are tried.
struct MemoryUse {
  double weights = 0, conditioning = 0, keys = 0, activations = 0, preparing = 0;

  constexpr double total() const { return weights + conditioning + keys + activations + preparing; }
  /// Returns the part that is of the request.
  constexpr double working() const { return conditioning + keys + activations; }
};

namespace detail {

/// Returns the bytes that trying the largest product's algorithms takes: an input, three outputs and
/// workspaces.
inline double trial_bytes(const CostModel& cost, const RankRows& rows, const std::vector<Range>& blocks) {
  constexpr double workspaces = 2 * 67108864.0;
  std::set<Index> kinds;
  for (const Range& range : blocks)
    for (Index i = range.begin; i < range.end; ++i) kinds.insert(cost.work->kind(i));
  Index most = 0;
  for (const Index kind : kinds)
    for (const Work& work : cost.work->block(kind, rows))
      if (work.kind == WorkKind::product) most = std::max(most, work.m * work.k + 3 * work.m * work.n);
  return workspaces + static_cast<double>(most * cost.work->element_bytes());
}

/// Returns for every stage the first stage with as many blocks of the same kinds in each of its ranges, of
/// which the same ranges have blocks that some steps leave out.
inline std::vector<int> alike_stages(const ModelWork& work, const DitShape& placed, int stages,
                                     const Reuse& reuse = {}) {
  constexpr Index has_residual = -1;
  std::vector<std::vector<std::vector<Index>>> all;
  std::vector<int> out;
  for (int stage = 0; stage < stages; ++stage) {
    std::vector<std::vector<Index>> kinds{{stage == 0}};  // the first one embeds and samples
    for (const Range& range : pipeline_blocks(placed, stages, stage)) {
      kinds.emplace_back();
      for (Index i = range.begin; i < range.end; ++i) kinds.back().push_back(work.kind(i));
      if (!reuse.empty() && !common(range, reuse.blocks(placed)).empty())
        kinds.back().push_back(has_residual);
    }
    all.push_back(std::move(kinds));
    int alike = 0;
    while (all[static_cast<std::size_t>(alike)] != all.back()) ++alike;
    out.push_back(alike);
  }
  return out;
}

/// Returns the ranks of a stage that differ in how many tokens, heads and rows of the prefix they hold, of
/// those with most images: without a prefix the last alone, which has most of all, and of slices the first
/// too, which has the biases.
inline std::vector<int> largest_ranks(const CostModel& cost, int stage) {
  const Mesh& mesh = cost.mesh;
  std::vector<int> out;
  const auto add_ranks_at = [&mesh, stage, &out](int ring, int ulysses) {
    int rank = mesh.stride(Axis::pipe) * stage + mesh.stride(Axis::ring) * ring +
               mesh.stride(Axis::ulysses) * ulysses;
    for (const Axis axis : {Axis::data, Axis::cfg}) rank += mesh.stride(axis) * (mesh.degree(axis) - 1);
    out.push_back(rank + mesh.stride(Axis::tensor) * (mesh.tensor - 1));
    if (mesh.tensor > 1) out.push_back(rank);
  };
  if (cost.work->prefix() == 0) {
    add_ranks_at(mesh.ring - 1, mesh.ulysses - 1);
    return out;
  }
  std::set<std::array<Index, 3>> seen;
  for (int ring = mesh.ring; ring-- > 0;)
    for (int ulysses = mesh.ulysses; ulysses-- > 0;) {
      const Rows rows = layout_of(mesh, cost.tokens()).of_rank(ring, ulysses);
      const std::array held{rows.size(), rows.within({0, cost.work->prefix()}).size(),
                            split(cost.model().heads_of(cost.slice()), mesh.ulysses, ulysses).size()};
      if (seen.insert(held).second) add_ranks_at(ring, ulysses);
    }
  return out;
}

}  // namespace detail

/// Returns the blocks that a rank runs.
inline std::vector<Range> blocks_of(const CostModel& cost, int rank) {
  return pipeline_blocks(cost.placed(), cost.mesh.pipe, cost.mesh.coordinate(Axis::pipe, rank));
}

/// Returns the bytes of the keys that attention of a rank has in int8 at most.
inline double int8_keys(const CostModel& cost) {
  const bool rotates = cost.mesh.ring > 1 && !cost.mesh.copies_ring_cache();
  const Index keys = rotates ? cost.ring_rows(cost.tokens()) : cost.tokens();
  if (!cost.engine.attends_in_int8 || keys < least_int8_keys) return 0;
  const Index heads = ceil_div(cost.model().key_heads_of(cost.slice()).size(), cost.mesh.ulysses);
  return static_cast<double>(int8_keys_bytes(keys, heads * cost.images()));
}

/// Returns the memory that a rank's engine takes for a request, once the weights are there.
inline MemoryUse engine_use(const CostModel& cost, int rank) {
  const DitShape placed = cost.placed();
  const EngineMemory engine = cost.work->memory(placed, cost.mesh, rank,
                                                {.tokens = cost.request.tokens,
                                                 .prompts = cost.request.prompts,
                                                 .branches = cost.request.branches,
                                                 .steps = cost.request.steps,
                                                 .thresholds = cost.request.thresholds,
                                                 .pushes = cost.engine.stores_heads,
                                                 .reuse = cost.request.reuse});
  MemoryUse use{.conditioning = static_cast<double>(engine.conditioning),
                .keys = static_cast<double>(engine.keys),
                .activations = static_cast<double>(engine.activations) + int8_keys(cost),
                .preparing = static_cast<double>(engine.temporary)};
  if (cost.engine.lands_messages) use.activations += static_cast<double>(engine.messages);
  if (cost.engine.tries_products) {
    const RankRows rows{.rows = cost.rows(cost.tokens()),
                        .prefix = 0,
                        .images = cost.images(),
                        .slice = slice_of_rank(cost.mesh, rank)};
    use.preparing = std::max(use.preparing, detail::trial_bytes(cost, rows, blocks_of(cost, rank)));
  }
  return use;
}

/// Returns the memory of a rank with the weights of its own blocks, or of its slice of them.
inline MemoryUse memory_use(const CostModel& cost, int rank) {
  const std::vector<Range> blocks = blocks_of(cost, rank);
  MemoryUse use = engine_use(cost, rank);
  const TensorSlice slice = slice_of_rank(cost.mesh, rank);
  use.weights = static_cast<double>(cost.work->weights(blocks, slice));
  use.preparing =
      std::max(use.preparing, static_cast<double>(cost.work->staged(blocks, slice)) - use.working());
  return use;
}

/// Returns the memory of the rank of a mesh that needs most.
inline MemoryUse largest_memory_use(const CostModel& cost) {
  const std::vector<int> alike =
      detail::alike_stages(*cost.work, cost.placed(), cost.mesh.pipe, cost.request.reuse);
  MemoryUse most;
  for (int stage = 0; stage < cost.mesh.pipe; ++stage) {
    if (alike[static_cast<std::size_t>(stage)] != stage) continue;
    for (const int rank : detail::largest_ranks(cost, stage)) {
      const MemoryUse use = memory_use(cost, rank);
      if (use.total() > most.total()) most = use;
    }
  }
  return most;
}

/// Returns the memory of ranks that share a device, and for each slice one copy of the weights of all blocks
/// of its ranks; they prepare one at a time.
inline MemoryUse shared_memory_use(const CostModel& cost, Range ranks) {
  const DitShape placed = cost.placed();
  MemoryUse all;
  std::map<TensorSlice, std::vector<Range>> blocks;
  for (Index rank = ranks.begin; rank < ranks.end; ++rank) {
    const MemoryUse use = memory_use(cost, static_cast<int>(rank));
    all.conditioning += use.conditioning;
    all.keys += use.keys;
    all.activations += use.activations;
    all.preparing = std::max(all.preparing, use.preparing);
    const int stage = cost.mesh.coordinate(Axis::pipe, static_cast<int>(rank));
    std::vector<Range>& own = blocks[slice_of_rank(cost.mesh, static_cast<int>(rank))];
    for (const Range& range : pipeline_blocks(placed, cost.mesh.pipe, stage)) own.push_back(range);
  }
  double staged = 0;
  for (auto& [slice, some] : blocks) {
    some = united(std::move(some));
    all.weights += static_cast<double>(cost.work->weights(some, slice));
    staged = std::max(staged, static_cast<double>(cost.work->staged(some, slice)));
  }
  all.preparing = std::max(all.preparing, staged - all.working());
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
