// Projection: how long a step of many ranks would take, from what one rank after another took alone.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "weft/plan/planner.hpp"

namespace weft::planner {

/// A mesh's step: kernels as they were measured, transfers as the links are said to be. Nothing of it is
/// measured on more than one rank.
struct Projection {
  double step = 0;       // seconds, after the warm-up
  double kernels = 0;    // of the rank whose kernels take longest
  double transfers = 0;  // that this rank waits for
  double idle = 0;       // of this rank, waiting for others to compute
  double all = 0;        // of the kernels of all ranks together
  double sent = 0;       // bytes a step, of the rank that sends most
};

/// For every stage a stage with as much to compute: the first one of its kind.
inline std::vector<int> alike_stages(const DitShape& model, int stages) {
  const auto work = [&model, stages](int stage) {
    Index blocks = 0, skips = 0;
    for (const Range& range : pipeline_blocks(model, stages, stage))
      for (Index i = range.begin; i < range.end; ++i) ++blocks, skips += model.reads_skip(i);
    return std::array<Index, 3>{stage == 0, blocks, skips};  // the first one embeds and samples
  };
  std::vector<int> out;
  for (int stage = 0; stage < stages; ++stage) {
    int alike = 0;
    while (work(alike) != work(stage)) ++alike;
    out.push_back(alike);
  }
  return out;
}

/// The rank of a stage that has most tokens and heads: the last one of every other axis.
constexpr int busiest_rank(const Mesh& mesh, int stage) {
  int rank = 0;
  for (const Axis axis : all_axes)
    rank += mesh.stride(axis) * (axis == Axis::pipe ? stage : mesh.degree(axis) - 1);
  return rank;
}

/// From the seconds that a step's kernels take on the busiest rank of each stage.
inline Projection project(const CostModel& cost, std::span<const double> stages) {
  Projection out;
  const Timeline timeline = timeline_of(cost, detail::shown_steps(cost.mesh), stages);
  const auto slowest = std::ranges::max_element(stages);
  const int stage = static_cast<int>(slowest - stages.begin());
  out.step = timeline.step(), out.kernels = *slowest;
  const double begin = timeline.step_begin(), end = begin + out.step;
  for (const TimelineSpan& span : timeline.spans)
    if (span.stage == stage && span.doing != Doing::compute)
      out.transfers += std::max(0.0, std::min(span.end, end) - std::max(span.begin, begin));
  out.idle = std::max(0.0, out.step - out.kernels - out.transfers);
  out.all = std::accumulate(stages.begin(), stages.end(), 0.0) *
            static_cast<double>(cost.mesh.ranks() / cost.mesh.pipe);
  out.sent = predict(cost).sent;
  return out;
}

/// A mesh of these degrees with as many patches as the planner would take, unless it has a number of its own.
inline Mesh with_planned_patches(CostModel cost) {
  Mesh best = cost.mesh;
  if (best.patches > 0) return best;
  double least = std::numeric_limits<double>::infinity();
  for (const int patches : {1, 2, 4}) {
    if (cost.mesh.pipe == 1 || patches * cost.mesh.pipe > cost.request.tokens) break;
    cost.mesh.patches = patches * cost.mesh.pipe;
    if (const double total = predict(cost).total; total < least) least = total, best = cost.mesh;
  }
  return best;
}

}  // namespace weft::planner
