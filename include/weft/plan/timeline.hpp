// Timeline: simulates the engine's schedule on the stages of a pipeline, with the costs of a mesh.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "weft/plan/unit_costs.hpp"
#include "weft/policy/pipeline.hpp"

namespace weft::inline v0_1::planner {

/// The activity of a stage; between spans it is idle.
enum class Activity { compute, attend_transfer, stage_transfer };

struct TimelineSpan {
  int stage = 0;
  Unit unit;
  Range blocks;
  Activity activity = Activity::compute;
  double begin = 0, end = 0;
};

struct Timeline {
  int stages = 1;
  std::vector<TimelineSpan> spans;
  std::vector<double> step_ends;  // when every patch of a step is sampled

  /// The begin of the last step but one, in which the pipeline is full.
  double step_begin() const { return step_ends[step_ends.size() - 3]; }
  /// The seconds of that step.
  double step() const { return step_ends[step_ends.size() - 2] - step_begin(); }
  /// Returns the seconds of a run of so many steps.
  double run(Index steps) const {
    const auto shown = static_cast<Index>(step_ends.size());
    return steps <= shown ? step_ends[static_cast<std::size_t>(steps - 1)]
                          : step_ends.back() + static_cast<double>(steps - shown) * step();
  }
};

namespace detail {

using weft::detail::Hop;
using weft::detail::pipeline_hops;

/// Simulates a run in which every task begins as soon as its stage is free and its input has arrived.
class PipelineRun {
 public:
  PipelineRun(const CostModel& cost, Index steps, std::span<const double> measured)
      : cost_(cost),
        costs_(cost),
        stages_(cost.mesh.pipe),
        job_{.model = cost.placed(),
             .layout = {.tokens = cost.tokens(), .patches = cost.mesh.patch_count()},
             .steps = steps,
             .warmup = cost.mesh.warmup,
             .reuse = cost.request.reuse} {
    hops_ = pipeline_hops(job_.model, stages_);
    patches_.resize(static_cast<std::size_t>(job_.layout.patches));
    for (int s = 0; s < stages_; ++s) state_.push_back({.tasks = pipeline_tasks(job_, stages_, s)});
    timeline_.stages = stages_;
    timeline_.step_ends.resize(static_cast<std::size_t>(steps));
    for (std::size_t s = 0; s < measured.size(); ++s)
      state_[s].pace = measured[s] / modelled_seconds(state_[s].tasks, steps - 2);
  }

  Timeline run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (int s = 0; s < stages_; ++s)
        while (try_next(s)) moved = true;
    }
    return std::move(timeline_);
  }

 private:
  /// A unit's long skips that are sent to the stage that reads them.
  struct Skips {
    int reader = -1;
    double available = 0;  // when they have arrived, or can be fetched
    double seconds = 0;    // of fetching them
    bool is_read = true;
  };
  struct Stage {
    std::vector<Task> tasks;
    std::size_t next = 0;
    double free = 0;             // when it has finished all tasks so far
    double sent = 0;             // when all its messages so far have been sent
    double pace = 1;             // seconds of computing, over the model's
    std::vector<Skips> skips{};  // of all units so far
  };
  /// A patch's next hop, when it arrives there, and how long it is sent from the stage before.
  struct Progress {
    Index step = 0, hop = 0;
    double arrival = 0, transfer = 0;
  };
  const UnitCost& unit_cost(const Unit& unit) {
    return costs_.of(
        {job_.layout.patch(unit.patches.begin).begin, job_.layout.patch(unit.patches.end - 1).end});
  }

  /// Returns the cost of a task's blocks that run, and of the residual of those that some steps leave out.
  BlockCost cost_of_blocks(const Task& task) {
    const UnitCost& unit = unit_cost(task.unit);
    const bool reuses = job_.reuse.contains(task.unit.step);
    const Range spared = job_.reuse.empty() ? Range{} : common(task.blocks, job_.reuse.blocks(job_.model));
    BlockCost cost;
    for (Index i = task.blocks.begin; i < task.blocks.end; ++i)
      if (!reuses || !spared.contains(i)) cost += costs_.block(unit, i);
    if (!spared.empty()) {
      const int passes = reuses ? 3 : 5;  // over the tokens: a sum, or a copy and a difference
      cost.rows += rows_seconds(cost_.hardware.gpu, passes * unit.bytes);
    }
    return cost;
  }

  /// Returns the seconds of a task's kernels.
  double compute_seconds(const Task& task) {
    const double ends = (task.embed + task.unembed) * unit_cost(task.unit).ends / 2;
    return ends + cost_of_blocks(task).computed();
  }
  double modelled_seconds(const std::vector<Task>& tasks, Index step) {
    double seconds = 0;
    for (const Task& task : tasks)
      if (task.unit.step == step) seconds += compute_seconds(task);
    return seconds;
  }

  double stage_seconds(double bytes) const {
    return neighbour_seconds(cost_.hardware, bytes, group_of(cost_.mesh, Axis::pipe), cost_.engine.carrier);
  }

  Index hop_of(const Task& task) const {
    const auto same = [&task](const Hop& hop) { return hop.blocks == task.blocks; };
    return std::find_if(hops_.begin(), hops_.end(), same) - hops_.begin();
  }

  /// Runs the next task of a stage; returns false if there is none, or its input has not been simulated yet.
  bool try_next(int s) {
    Stage& stage = state_[static_cast<std::size_t>(s)];
    if (stage.next == stage.tasks.size()) return false;
    const Task& task = stage.tasks[stage.next];
    const Index hop = hop_of(task);
    Progress slowest;
    for (Index m = task.unit.patches.begin; m < task.unit.patches.end; ++m) {
      const Progress& patch = patches_[static_cast<std::size_t>(m)];
      if (patch.step != task.unit.step || patch.hop != hop) return false;
      if (patch.arrival >= slowest.arrival) slowest = patch;
    }
    // A stage computes at most one unit ahead of the reader of its skips.
    const Skips* before = stage.skips.size() < 2 ? nullptr : &stage.skips[stage.skips.size() - 2];
    if (before && !before->is_read) return false;
    const double start =
        std::max({stage.free, slowest.arrival, before && before->seconds > 0 ? before->available : 0.0});
    double begin = start;
    if (!task.blocks.empty()) begin = read_skips(s, stage.skips.size(), start);
    const double since = std::max(stage.free, slowest.arrival - slowest.transfer);
    if (slowest.transfer > 0 && since < slowest.arrival)
      add_span(s, task, Activity::stage_transfer, since, slowest.arrival);
    add_span(s, task, Activity::stage_transfer, start, begin);
    run_task(s, task, hop, begin);
    ++stage.next;
    return true;
  }

  /// Reads the skips of unit `number` that other stages sent to this one; returns when it has all of them.
  double read_skips(int s, std::size_t number, double start) {
    double ready = start;
    for (Stage& sender : state_) {
      if (sender.skips.size() <= number || sender.skips[number].reader != s) continue;
      Skips& skips = sender.skips[number];
      ready = std::max(ready, skips.available) + skips.seconds;
      skips.is_read = true;
      skips.available = ready;
    }
    return ready;
  }

  void run_task(int s, const Task& task, Index hop, double begin) {
    Stage& stage = state_[static_cast<std::size_t>(s)];
    const UnitCost& unit = unit_cost(task.unit);
    const BlockCost cost = cost_of_blocks(task);
    const double synchronised = task.blocks.empty() ? 0 : cost_.engine.per_unit;
    double end = begin + stage.pace * compute_seconds(task) + cost.host + synchronised;
    add_span(s, task, Activity::compute, begin, end);
    const auto others = static_cast<double>(cost_.mesh.ranks() - 1);
    const bool ends_step = task.sample && task.unit.patches.end == job_.layout.patches;
    const double exchanged = cost.ulysses + cost.ring + cost.tensor + (task.sample ? unit.guidance : 0) +
                             (ends_step ? others * cost_.hardware.relaunch : 0);
    add_span(s, task, Activity::attend_transfer, end, end + exchanged);
    end += exchanged;

    const double transfer = task.destination < 0 ? 0 : stage_seconds(task.unembed ? 0 : unit.bytes);
    stage.free = end;
    if (!task.blocks.empty()) stage.free = send(s, task, unit, end, transfer);
    const double arrival = cost_.engine.overlaps_stages ? std::max(end, stage.sent) : stage.free;
    for (Index m = task.unit.patches.begin; m < task.unit.patches.end; ++m) {
      Progress& patch = patches_[static_cast<std::size_t>(m)];
      patch = {patch.step + (task.sample ? 1 : 0), task.sample ? 0 : hop + 1, transfer > 0 ? arrival : end,
               cost_.engine.overlaps_stages ? transfer : 0};
    }
    if (!task.sample) return;
    double& step_end = timeline_.step_ends[static_cast<std::size_t>(task.unit.step)];
    step_end = std::max(step_end, end);
  }

  /// Sends a unit's activations and skips, and returns when the stage can go on.
  double send(int s, const Task& task, const UnitCost& unit, double end, double transfer) {
    Stage& stage = state_[static_cast<std::size_t>(s)];
    Skips skips;
    Index count = 0;
    for (Index i = task.blocks.begin; i < task.blocks.end; ++i) {
      const Index reading = cost_.model().reader_of(i);
      const int reader = reading == BlockShape::none ? s : stage_of(reading);
      if (reader == s) continue;
      skips.reader = reader;
      ++count;
    }
    const double seconds = count > 0 ? stage_seconds(static_cast<double>(count) * unit.bytes) : 0;
    if (cost_.engine.overlaps_stages) {
      if (transfer > 0) stage.sent = std::max(stage.sent, end) + transfer;
      skips.available = std::max(stage.sent, end) + seconds;
    } else if (unit.bytes > cost_.engine.buffered) {
      add_span(s, task, Activity::stage_transfer, end, end + transfer);
      end += transfer;
      skips.available = end;
      skips.seconds = seconds;
      skips.is_read = count == 0;
    } else {
      add_span(s, task, Activity::stage_transfer, end, end + transfer + seconds);
      end += transfer + seconds;
      skips.available = end;
    }
    stage.skips.push_back(skips);
    return end;
  }

  int stage_of(Index block) const {
    return std::find_if(hops_.begin(), hops_.end(),
                        [block](const Hop& hop) { return hop.blocks.contains(block); })
        ->stage;
  }

  void add_span(int s, const Task& task, Activity activity, double begin, double end) {
    if (end > begin) timeline_.spans.push_back({s, task.unit, task.blocks, activity, begin, end});
  }

  const CostModel& cost_;
  UnitCosts costs_;
  int stages_;
  Job job_;
  std::vector<Hop> hops_;
  std::vector<Stage> state_;
  std::vector<Progress> patches_;
  Timeline timeline_;
};

}  // namespace detail

/// Simulates the first `steps` steps, at least three. `measured` are the seconds of each stage's kernels in a
/// step, if they are known; the cost model divides them among the step's tasks.
inline Timeline timeline_of(const CostModel& cost, Index steps, std::span<const double> measured = {}) {
  return detail::PipelineRun(cost, steps, measured).run();
}

}  // namespace weft::inline v0_1::planner
