// Traffic: the bytes that a rank sends in a step, by the formulas of the methods.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "weft/engine/part.hpp"
#include "weft/plan/block_cost.hpp"
#include "weft/policy/pipeline.hpp"

namespace weft::inline v0_1::planner {

/// Bytes by the axis of the mesh that sends them.
struct SentBytes {
  Index cfg = 0, pipe = 0, ulysses = 0, ring = 0, tensor = 0;

  constexpr Index total() const { return cfg + pipe + ulysses + ring + tensor; }
  friend constexpr bool operator==(const SentBytes&, const SentBytes&) = default;
};

namespace detail {

/// What a block makes its rank send: the calls of attention among all tokens and among the image, the sums
/// over slices of all tokens and of the image, and its output as a long skip.
struct BlockTraffic {
  Index of_sequence = 0, of_image = 0, sums = 0, sums_of_image = 0;
  bool sends_skip = false;
};

/// One rank of a mesh.
class RankTraffic {
 public:
  RankTraffic(const CostModel& cost, int rank)
      : cost_(cost),
        mesh_(cost.mesh),
        placed_(cost.placed()),
        slice_(slice_of_rank(mesh_, rank)),
        heads_(placed_.heads_of(slice_).size()),
        ring_(mesh_.coordinate(Axis::ring, rank)),
        ulysses_(mesh_.coordinate(Axis::ulysses, rank)),
        stage_(mesh_.coordinate(Axis::pipe, rank)),
        prompts_(split(cost.request.prompts, mesh_.data, mesh_.coordinate(Axis::data, rank)).size()),
        branches_(split(cost.request.branches, mesh_.cfg, mesh_.coordinate(Axis::cfg, rank)).size()),
        layout_(layout_of(mesh_, cost.tokens())),
        rows_(layout_.of_rank(ring_, ulysses_)),
        image_rows_(rows_.within(image())) {
    std::vector<int> stages(static_cast<std::size_t>(placed_.blocks));
    for (const auto& [stage, blocks] : weft::detail::pipeline_hops(placed_, mesh_.pipe))
      std::fill(stages.begin() + blocks.begin, stages.begin() + blocks.end, stage);
    for (Index i = 0; i < placed_.blocks; ++i) {
      BlockTraffic block;
      const Index prefix = std::min<Index>(cost.work->prefix(), 1);
      const RankRows rows{.rows = prefix + 1, .prefix = prefix, .slice = slice_};
      for (const Work& work : cost.work->block(cost.work->kind(i), rows)) {
        if (work.kind == WorkKind::heads) ++(work.n == 1 ? block.of_image : block.of_sequence);
        if (work.kind == WorkKind::sum) ++(work.m < rows.rows ? block.sums_of_image : block.sums);
      }
      const Index reader = cost.model().reader_of(i);
      block.sends_skip = reader != BlockShape::none &&
                         stages[static_cast<std::size_t>(reader)] != stages[static_cast<std::size_t>(i)];
      blocks_.push_back(block);
    }
  }

  /// Returns what is sent in the last step, which is the one before too unless that is of the warm-up.
  SentBytes step(Index steps) const {
    const Job job{.model = placed_,
                  .layout = layout_,
                  .prefix = cost_.work->prefix(),
                  .images = images(),
                  .layers = 0,
                  .steps = steps,
                  .warmup = mesh_.warmup};
    SentBytes out;
    for (const Task& task : pipeline_tasks(job, mesh_.pipe, stage_))
      if (task.unit.step + 1 == steps) add(out, task);
    return out;
  }

 private:
  Index images() const { return prompts_ * branches_; }
  Index head_row() const { return images() * placed_.head_dim * cost_.work->element_bytes(); }
  Index activation_row() const { return images() * placed_.width * cost_.work->element_bytes(); }
  Index prediction_row() const {
    return images() * placed_.channels * placed_.patch * placed_.patch * static_cast<Index>(sizeof(float));
  }
  Index heads(int ulysses) const { return split(heads_, mesh_.ulysses, ulysses).size(); }
  Range image() const { return {cost_.work->prefix(), cost_.tokens()}; }

  void add(SentBytes& out, const Task& task) const {
    const Index rows = rows_.rows(task.unit.patches).size();
    const Index sampled = image_rows_.rows(task.unit.patches).size();
    if (task.destination >= 0)
      out.pipe += task.unembed ? sampled * prediction_row() : rows * activation_row();
    if (task.sample) out.cfg += (mesh_.cfg - 1) * sampled * prediction_row();
    Index of_sequence = 0, of_image = 0;
    for (Index i = task.blocks.begin; i < task.blocks.end; ++i) {
      const BlockTraffic& block = blocks_[static_cast<std::size_t>(i)];
      of_sequence += block.of_sequence;
      of_image += block.of_image;
      if (block.sends_skip) out.pipe += rows * activation_row();
      out.tensor += block.sums * sum_bytes(rows) + block.sums_of_image * sum_bytes(sampled);
    }
    for (const auto& [calls, scope] :
         {std::pair{of_sequence, Range{0, cost_.tokens()}}, std::pair{of_image, image()}})
      if (calls > 0) {
        out.ulysses += calls * ulysses_bytes(task.unit, scope);
        out.ring += calls * ring_bytes(task.unit, scope);
      }
  }

  /// Returns the bytes of a sum over slices: all pieces to the members whose they are, and the sum of this
  /// one's own to all.
  Index sum_bytes(Index rows) const {
    const Index all = rows * images(), own = split(all, slice_.count, slice_.index).size();
    return (all - own + (slice_.count - 1) * own) * placed_.width * cost_.work->element_bytes();
  }

  /// Returns the bytes of queries, keys and values to ranks that have their heads, and of the output to ranks
  /// that have its tokens.
  Index ulysses_bytes(const Unit& unit, Range scope) const {
    Index rows_of_heads = 0;
    for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
      for (int peer = 0; peer < mesh_.ulysses; ++peer)
        if (peer != ulysses_)
          rows_of_heads += 3 * common(layout_.slice(m, ring_, ulysses_), scope).size() * heads(peer) +
                           common(layout_.slice(m, ring_, peer), scope).size() * heads(ulysses_);
    return rows_of_heads * head_row();
  }

  /// Returns the bytes of keys and values: fresh ones to all ranks; or, to the next rank, the slices of all
  /// ranks but that.
  Index ring_bytes(const Unit& unit, Range scope) const {
    if (mesh_.ring == 1) return 0;
    Index rows = 0;
    if (mesh_.copies_ring_cache()) {
      for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
        rows += (mesh_.ring - 1) * common(layout_.ring_slice(m, ring_), scope).size();
    } else {
      rows = scope.size() - layout_.of_ring((ring_ + 1) % mesh_.ring).within(scope).size();
    }
    return 2 * rows * heads(ulysses_) * head_row();
  }

  const CostModel& cost_;
  Mesh mesh_;
  DitShape placed_;
  TensorSlice slice_;
  Index heads_;  // of the slice
  int ring_, ulysses_, stage_;
  Index prompts_, branches_;
  Layout layout_;
  Rows rows_, image_rows_;
  std::vector<BlockTraffic> blocks_;
};

}  // namespace detail

/// Returns what a rank sends in one step: in one of the warm-up, or in one after it.
inline SentBytes sent_in_step(const CostModel& cost, int rank, bool warms_up = false) {
  return detail::RankTraffic(cost, rank).step(cost.mesh.warmup + (warms_up ? 0 : 2));
}

}  // namespace weft::inline v0_1::planner
