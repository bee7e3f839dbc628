// The schedule of a pipeline: which blocks a stage runs on which part of the picture, in which order.
#pragma once

#include <algorithm>
#include <vector>

#include "weft/policy/job.hpp"

namespace weft {

/// What one stage does at one tick.
struct Task {
  Index tick = 0;
  Unit unit;
  Range blocks;
  int source = -1;       // the stage whose result this needs; -1: none, or what this stage did just before
  int destination = -1;  // the stage that needs the result
  bool embed = false, unembed = false, sample = false;

  /// Whether `later` is the same in the step after.
  friend bool repeats(const Task& task, const Task& later) {
    return later.unit.step == task.unit.step + 1 && later.unit.patches == task.unit.patches &&
           later.blocks == task.blocks && later.source == task.source &&
           later.destination == task.destination && later.embed == task.embed &&
           later.unembed == task.unembed && later.sample == task.sample;
  }
};

/// Neighbouring tasks that are done `times` times, each time a step later.
struct TaskGroup {
  Range tasks;  // of the first time
  Index times = 1;
};

namespace detail {

/// One stop of a unit on its way through the blocks.
struct Hop {
  int stage;
  Range blocks;
};

/// Folded, a unit goes 0 → P−1 through the first half and back P−1 → 0 through the second. A tick is one hop.
inline std::vector<Hop> pipeline_hops(const DitShape& model, int stages) {
  std::vector<Hop> hops;
  if (model.placement == Placement::contiguous) {
    for (int s = 0; s < stages; ++s) hops.push_back({s, split(model.blocks, stages, s)});
    return hops;
  }
  const Index half = model.blocks / 2;
  for (int s = 0; s < stages; ++s) hops.push_back({s, split(half, stages, s)});
  for (int s = stages - 1; s >= 0; --s) {
    const Range front = split(half, stages, s);
    hops.push_back({s, {model.blocks - front.end, model.blocks - front.begin}});
  }
  return hops;
}

/// All of the run's units in the order in which they start.
inline std::vector<Unit> pipeline_units(const Job& job) {
  const Index patches = job.layout.patches;
  std::vector<Unit> units;
  for (Index step = 0; step < job.steps; ++step) {
    if (step < job.warmup) {
      units.push_back({step, {0, patches}});
    } else {
      for (Index m = 0; m < patches; ++m) units.push_back({step, {m, m + 1}});
    }
  }
  return units;
}

}  // namespace detail

/// The blocks of one stage.
inline std::vector<Range> pipeline_blocks(const DitShape& model, int stages, int stage) {
  std::vector<Range> blocks;
  for (const detail::Hop& hop : detail::pipeline_hops(model, stages))
    if (hop.stage == stage) blocks.push_back(hop.blocks);
  return blocks;
}

/// The whole run of one stage. A unit starts as soon as the one before leaves it room and its own tokens have
/// been through the step before; stage 0 embeds and samples. Folded, units start two ticks apart, so that a
/// stage's fronts fall on ticks of one parity and its backs on the other; with as many patches as stages, or
/// more, a stage is then never idle. Every result is needed at a later tick than that at which it is made.
///
/// PipeFusion: Fang et al., "PipeFusion: Patch-level Pipeline Parallelism for Diffusion Transformers
/// Inference", 2024. The fold is weft's own.
inline std::vector<Task> pipeline_tasks(const Job& job, int stages, int stage) {
  const std::vector<detail::Hop> hops = detail::pipeline_hops(job.model, stages);
  const auto count = static_cast<Index>(hops.size());
  const Index spacing = job.model.placement == Placement::folded ? 2 : 1;
  const auto stage_at = [&hops](Index hop) { return hops[static_cast<std::size_t>(hop)].stage; };

  std::vector<Task> tasks;
  std::vector<Index> free(static_cast<std::size_t>(job.layout.patches),
                          0);  // the tick from which a patch may start
  Index start = -spacing;
  for (const Unit& unit : detail::pipeline_units(job)) {
    start += spacing;
    for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
      start = std::max(start, free[static_cast<std::size_t>(m)]);
    for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
      free[static_cast<std::size_t>(m)] = start + count;

    const auto from = [&stage_at, stage](Index hop) {
      return hop > 0 && stage_at(hop - 1) != stage ? stage_at(hop - 1) : -1;
    };
    for (Index hop = 0; hop < count; ++hop) {
      if (stage_at(hop) != stage) continue;
      const bool last = hop + 1 == count;
      const int next = last ? 0 : stage_at(hop + 1);
      tasks.push_back({.tick = start + hop,
                       .unit = unit,
                       .blocks = hops[static_cast<std::size_t>(hop)].blocks,
                       .source = from(hop),
                       .destination = next != stage ? next : -1,
                       .embed = hop == 0,
                       .unembed = last,
                       .sample = last && stage == 0});
    }
    const int end = stage_at(count - 1);
    if (stage == 0 && end != 0)
      tasks.push_back({.tick = start + count, .unit = unit, .blocks = {}, .source = end, .sample = true});
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.tick < b.tick; });
  return tasks;
}

/// A stage's tasks in order, those of its steady state as repetitions. What is needed next is the same after
/// each.
inline std::vector<TaskGroup> task_groups(const std::vector<Task>& tasks) {
  const auto count = static_cast<Index>(tasks.size());
  const auto at = [&tasks](Index i) -> const Task& { return tasks[static_cast<std::size_t>(i)]; };
  const auto needs_input = [&at, count](Index i) { return i < count && at(i).source >= 0; };
  const auto recurs = [&at, &needs_input, count](Index begin, Index period) {
    const Index later = begin + period, end = later + period;
    if (end > count) return false;
    for (Index i = begin; i < later; ++i)
      if (!repeats(at(i), at(i + period))) return false;
    return needs_input(later) == needs_input(end) && (!needs_input(end) || repeats(at(later), at(end)));
  };

  std::vector<TaskGroup> groups;
  Index grouped = 0;
  for (Index i = 0; i < count;) {
    const Index step = at(i).unit.step;
    const Index period = std::count_if(tasks.begin(), tasks.end(),
                                       [step](const Task& task) { return task.unit.step == step; });
    Index times = 1;
    while (recurs(i + (times - 1) * period, period)) ++times;
    if (times == 1) {
      ++i;
      continue;
    }
    if (grouped < i) groups.push_back({{grouped, i}});
    groups.push_back({{i, i + period}, times});
    grouped = i = i + period * times;
  }
  if (grouped < count) groups.push_back({{grouped, count}});
  return groups;
}

}  // namespace weft
