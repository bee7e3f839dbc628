// Projection: predicts a step of many ranks from the times of their kernels, measured one rank after another.
#pragma once

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "weft/plan/planner.hpp"

namespace weft::inline v0_1::planner {

/// A mesh's step: its kernels are measured, its transfers are predicted from the hardware's links. Nothing of
/// it is measured on more than one rank.
struct Projection {
  double step = 0;       // seconds, after the warm-up
  double kernels = 0;    // of the rank whose kernels take longest
  double transfers = 0;  // for which this rank waits
  double idle = 0;       // in which this rank waits for others to compute
  double all = 0;        // of the kernels of all ranks together
  double sent = 0;       // bytes a step, of the rank that sends most
};

/// Returns for every stage the first stage that computes as much.
inline std::vector<int> alike_stages(const ModelWork& work, int stages) {
  return detail::alike_stages(work, work.shape(), stages);
}

/// Returns the rank of a stage that has most tokens and heads: the last one of every other axis.
constexpr int busiest_rank(const Mesh& mesh, int stage) {
  int rank = 0;
  for (const Axis axis : all_axes)
    rank += mesh.stride(axis) * (axis == Axis::pipe ? stage : mesh.degree(axis) - 1);
  return rank;
}

/// Projects a step from the seconds of its kernels on the busiest rank of each stage.
inline Projection project(const CostModel& cost, std::span<const double> stages) {
  Projection out;
  const Timeline timeline = timeline_of(cost, detail::shown_steps(cost.mesh), stages);
  const auto slowest = std::ranges::max_element(stages);
  const int stage = static_cast<int>(slowest - stages.begin());
  out.step = timeline.step();
  out.kernels = *slowest;
  const double begin = timeline.step_begin(), end = begin + out.step;
  for (const TimelineSpan& span : timeline.spans)
    if (span.stage == stage && span.activity != Activity::compute)
      out.transfers += std::max(0.0, std::min(span.end, end) - std::max(span.begin, begin));
  out.idle = std::max(0.0, out.step - out.kernels - out.transfers);
  out.all = std::accumulate(stages.begin(), stages.end(), 0.0) *
            static_cast<double>(cost.mesh.ranks() / cost.mesh.pipe);
  out.sent = predict(cost).sent;
  return out;
}

/// Returns the mesh with as many patches as the planner would choose, unless its number of patches is set.
inline Mesh with_planned_patches(CostModel cost) {
  Mesh best = cost.mesh;
  if (best.patches > 0) return best;
  double least = std::numeric_limits<double>::infinity();
  for (const int patches : {1, 2, 4}) {
    if (cost.mesh.pipe == 1 || patches * cost.mesh.pipe > cost.tokens()) break;
    cost.mesh.patches = patches * cost.mesh.pipe;
    const double total = predict(cost).total;
    if (total >= least) continue;
    least = total;
    best = cost.mesh;
  }
  return best;
}

}  // namespace weft::inline v0_1::planner
