// The schedule of a pipeline: which blocks a stage runs on which patches, in which order.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "weft/policy/job.hpp"

namespace weft::inline v0_1 {

/// A stage's work on a unit in one tick.
struct Task {
  Index tick = 0;
  Unit unit;
  Range blocks;
  int source = -1;       // the stage that sends its input; -1: none, or this stage's task just before
  int destination = -1;  // the stage that receives its output; -1: none, or this stage's next task
  bool embed = false, unembed = false, sample = false;
  bool ends_unit = false;  // whether it is the stage's last task of the unit
};

/// Ticks of the schedule that all stages run together, `times` times, each time a step later. Every message
/// that is sent in a window is received in it.
struct Window {
  Range ticks;  // of the first repetition
  Index times = 1;
  Index recording = 0;  // the same for windows of the same contents, but for the step
};

/// A stage's tasks in a window.
struct TaskGroup {
  Window window;
  Range tasks;  // of the first repetition
};

namespace detail {

/// A unit's work at one stage; a unit runs all blocks in a sequence of hops.
struct Hop {
  int stage;
  Range blocks;
};

/// Returns the hops of every unit, of which each takes one tick. Folded, a unit passes stages 0 → P−1 through
/// the first half of the blocks and P−1 → 0 through the second; the last stage has the middle one of an odd
/// number of blocks.
inline std::vector<Hop> pipeline_hops(const DitShape& model, int stages) {
  std::vector<Hop> hops;
  if (model.placement == Placement::contiguous) {
    for (int s = 0; s < stages; ++s) hops.push_back({s, model.split_blocks({0, model.blocks}, stages, s)});
    return hops;
  }
  const Index half = model.blocks / 2;
  for (int s = 0; s < stages; ++s) hops.push_back({s, model.split_blocks({0, half}, stages, s)});
  hops.back().blocks.end = model.blocks - half;
  for (int s = stages - 1; s >= 0; --s) {
    const Range front = model.split_blocks({0, half}, stages, s);
    hops.push_back({s, {model.blocks - front.end, model.blocks - front.begin}});
  }
  return hops;
}

/// Returns all units of the run in the order in which they start.
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

/// A unit and the tick of its first hop.
struct Start {
  Unit unit;
  Index tick;
};

/// Returns when every unit starts: as soon as the unit before has freed stage 0, and its own patches have
/// finished the step before.
inline std::vector<Start> pipeline_starts(const Job& job, int stages) {
  const auto hops = static_cast<Index>(pipeline_hops(job.model, stages).size());
  const Index spacing = job.model.placement == Placement::folded ? 2 : 1;
  // By patch, the tick from which it may start.
  std::vector<Index> free(static_cast<std::size_t>(job.layout.patches), 0);
  std::vector<Start> starts;
  Index tick = -spacing;
  for (const Unit& unit : pipeline_units(job)) {
    tick += spacing;
    for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
      tick = std::max(tick, free[static_cast<std::size_t>(m)]);
    for (Index m = unit.patches.begin; m < unit.patches.end; ++m)
      free[static_cast<std::size_t>(m)] = tick + hops;
    starts.push_back({unit, tick});
  }
  return starts;
}

}  // namespace detail

/// Returns the blocks of one stage.
inline std::vector<Range> pipeline_blocks(const DitShape& model, int stages, int stage) {
  std::vector<Range> blocks;
  for (const detail::Hop& hop : detail::pipeline_hops(model, stages))
    if (hop.stage == stage) blocks.push_back(hop.blocks);
  return blocks;
}

/// Returns the whole run of one stage. Stage 0 embeds and samples. Folded, units start two ticks apart, so
/// that a stage's blocks of the first half run on ticks of one parity and those of the second half on the
/// other; with as many patches as stages, or more, a stage is then never idle. Every output is needed at the
/// next tick.
///
/// PipeFusion: Fang et al., "PipeFusion: Patch-level Pipeline Parallelism for Diffusion Transformers
/// Inference", 2024. The fold is weft's own.
inline std::vector<Task> pipeline_tasks(const Job& job, int stages, int stage) {
  const std::vector<detail::Hop> hops = detail::pipeline_hops(job.model, stages);
  const auto count = static_cast<Index>(hops.size());
  const auto stage_at = [&hops](Index hop) { return hops[static_cast<std::size_t>(hop)].stage; };

  std::vector<Task> tasks;
  for (const auto& [unit, start] : detail::pipeline_starts(job, stages)) {
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
    tasks.back().ends_unit = true;
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.tick < b.tick; });
  return tasks;
}

/// Returns the windows of the run. A step's window reaches from its first unit's start to that of the next
/// step; consecutive steps whose windows have the same contents, but for the step, are one window. Units of
/// steps that leave blocks out are other contents than those of full ones.
inline std::vector<Window> pipeline_windows(const Job& job, int stages) {
  const std::vector<detail::Start> starts = detail::pipeline_starts(job, stages);
  if (starts.empty()) return {};
  const std::vector<detail::Hop> hops = detail::pipeline_hops(job.model, stages);
  const Index last_hop =
      static_cast<Index>(hops.size()) - (hops.back().stage == 0 ? 1 : 0);  // or the sample after it
  const Index end = starts.back().tick + last_hop + 1;
  std::vector<Index> begin(static_cast<std::size_t>(job.steps) + 1, end);  // of every step
  for (const auto& [unit, tick] : starts) {
    Index& first = begin[static_cast<std::size_t>(unit.step)];
    first = std::min(first, tick);
  }
  const auto begin_of = [&begin](Index step) { return begin[static_cast<std::size_t>(step)]; };
  using Contents = std::vector<std::array<Index, 5>>;
  const auto contents = [&job, &starts, last_hop](Index step, Range ticks) {
    Contents out{{ticks.size()}};
    for (const auto& [unit, tick] : starts)
      if (tick < ticks.end && tick + last_hop >= ticks.begin)
        out.push_back({unit.step - step, unit.patches.begin, unit.patches.end, tick - ticks.begin,
                       job.reuse.contains(unit.step)});
    return out;
  };
  std::vector<Contents> recorded;
  std::vector<Window> windows;
  const auto push = [&windows, &recorded](Range ticks, Index times, const Contents& some) {
    const auto recording = std::ranges::find(recorded, some) - recorded.begin();
    if (recording == std::ssize(recorded)) recorded.push_back(some);
    windows.push_back({ticks, times, recording});
  };
  Index step = 0, covered = 0;
  while (step < job.steps) {
    const Range ticks{begin_of(step), begin_of(step + 1)};
    const Contents first = contents(step, ticks);
    Index times = 1;
    while (step + times < job.steps && begin_of(step + times) == ticks.begin + times * ticks.size() &&
           contents(step + times, ticks + times * ticks.size()) == first)
      ++times;
    covered = ticks.begin + times * ticks.size();
    push(ticks, times, first);
    step += times;
  }
  if (covered < end) push({covered, end}, 1, contents(job.steps, {covered, end}));
  return windows;
}

/// Groups a stage's tasks, which are sorted by tick, by windows.
inline std::vector<TaskGroup> task_groups(const std::vector<Task>& tasks,
                                          const std::vector<Window>& windows) {
  const auto first_from = [&tasks](Index tick) {
    return std::ranges::lower_bound(tasks, tick, {}, &Task::tick) - tasks.begin();
  };
  std::vector<TaskGroup> groups;
  for (const Window& window : windows)
    groups.push_back({window, {first_from(window.ticks.begin), first_from(window.ticks.end)}});
  return groups;
}

}  // namespace weft::inline v0_1
