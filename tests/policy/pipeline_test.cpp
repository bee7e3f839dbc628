// Properties of schedules of many shapes.
#include "weft/policy/pipeline.hpp"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <random>
#include <set>
#include <utility>

using weft::DitShape;
using weft::Index;
using weft::Job;
using weft::Placement;
using weft::Range;
using weft::Task;

namespace {

struct Schedule {
  Job job;
  int stages;
  std::vector<weft::Window> windows;
  std::vector<std::vector<Task>> tasks;  // of every stage

  Schedule(const Job& what, int count) : job(what), stages(count), windows(pipeline_windows(job, stages)) {
    for (int stage = 0; stage < stages; ++stage) tasks.push_back(pipeline_tasks(job, stages, stage));
  }

  bool folded() const { return job.model.placement == Placement::folded; }

  /// Identifies a unit by its step and its first patch.
  static std::pair<Index, Index> unit(const Task& task) { return {task.unit.step, task.unit.patches.begin}; }
};

Job job_of(Placement placement, Index blocks, int patches, Index steps, Index warmup) {
  return {.model = {.blocks = blocks, .placement = placement},
          .layout = {.tokens = 100, .patches = patches},
          .steps = steps,
          .warmup = warmup};
}

/// Random jobs on random numbers of stages; `stages` ≤ patches.
std::vector<Schedule> random_schedules() {
  std::mt19937 random(2);
  const auto between = [&](int least, int most) {
    return std::uniform_int_distribution(least, most)(random);
  };
  std::vector<Schedule> out;
  for (int i = 0; i < 120; ++i) {
    const Placement placement = i % 2 ? Placement::folded : Placement::contiguous;
    const Index blocks = i % 2 ? 2 * between(1, 10) : between(1, 12);
    const int stages = between(1, static_cast<int>(std::min<Index>(i % 2 ? blocks / 2 : blocks, 6)));
    out.emplace_back(job_of(placement, blocks, between(stages, stages + 4), between(1, 5), between(1, 5)),
                     stages);
  }
  return out;
}

/// Calls body(stage, task) for all tasks.
template <class Body>
void for_each_task(const Schedule& schedule, Body body) {
  for (int stage = 0; stage < schedule.stages; ++stage)
    for (const Task& task : schedule.tasks[static_cast<std::size_t>(stage)]) body(stage, task);
}

}  // namespace

TEST_CASE("pipeline: stages share out the blocks, and skips stay on one stage") {
  for (const Schedule& schedule : random_schedules()) {
    const DitShape& model = schedule.job.model;
    std::map<Index, int> stage_of;
    for (int stage = 0; stage < schedule.stages; ++stage)
      for (const Range& range : pipeline_blocks(model, schedule.stages, stage)) {
        CHECK(!range.empty());
        for (Index i = range.begin; i < range.end; ++i) CHECK(stage_of.emplace(i, stage).second);
      }
    CHECK(static_cast<Index>(stage_of.size()) == model.blocks);
    for (Index i = 0; i < model.blocks; ++i)
      if (model.reads_skip(i)) CHECK(stage_of.at(i) == stage_of.at(model.blocks - 1 - i));
  }
}

TEST_CASE("pipeline: every unit runs every block once, in order, on the stage that has it") {
  for (const Schedule& schedule : random_schedules()) {
    std::map<std::pair<Index, Index>, std::map<Index, Range>> runs;  // unit → tick → blocks
    for_each_task(schedule, [&](int stage, const Task& task) {
      if (task.blocks.empty()) return;
      const auto own = pipeline_blocks(schedule.job.model, schedule.stages, stage);
      CHECK(std::find(own.begin(), own.end(), task.blocks) != own.end());
      CHECK(runs[Schedule::unit(task)].emplace(task.tick, task.blocks).second);
      CHECK(task.embed == (task.blocks.begin == 0));
      CHECK(task.unembed == (task.blocks.end == schedule.job.model.blocks));
    });
    for (const auto& [unit, ticks] : runs) {
      Index next = 0;
      for (const auto& [tick, blocks] : ticks) {
        CHECK(blocks.begin == next);
        next = blocks.end;
      }
      CHECK(next == schedule.job.model.blocks);
    }
  }
}

TEST_CASE("pipeline: units cover every patch of every step once, whole steps during warm-up") {
  for (const Schedule& schedule : random_schedules()) {
    const Job& job = schedule.job;
    std::map<std::pair<Index, Index>, int> sampled;  // step, patch
    for_each_task(schedule, [&](int stage, const Task& task) {
      const bool whole = task.unit.patches == Range{0, job.layout.patches};
      CHECK((task.unit.step < job.warmup ? whole : task.unit.patches.size() == 1));
      if (!task.sample) return;
      CHECK(stage == 0);
      for (Index m = task.unit.patches.begin; m < task.unit.patches.end; ++m) ++sampled[{task.unit.step, m}];
    });
    CHECK(static_cast<Index>(sampled.size()) == job.steps * job.layout.patches);
    for (const auto& [what, count] : sampled) CHECK(count == 1);
  }
}

TEST_CASE("pipeline: every output is sent to the stage that needs it, at an earlier tick") {
  for (const Schedule& schedule : random_schedules()) {
    // By sender, receiver and unit: ticks at which outputs are made and needed. A unit may be sent twice
    // between a pair of stages.
    std::map<std::tuple<int, int, std::pair<Index, Index>>, std::vector<Index>> made, needed;
    for_each_task(schedule, [&](int stage, const Task& task) {
      if (task.destination >= 0) made[{stage, task.destination, Schedule::unit(task)}].push_back(task.tick);
      if (task.source >= 0) needed[{task.source, stage, Schedule::unit(task)}].push_back(task.tick);
      CHECK(task.source != stage);
      CHECK(task.destination != stage);
    });
    CHECK(made.size() == needed.size());
    for (const auto& [message, ticks] : made) {
      const auto& at = needed[message];
      REQUIRE(at.size() == ticks.size());
      for (std::size_t i = 0; i < ticks.size(); ++i) CHECK(ticks[i] < at[i]);
    }
  }
}

TEST_CASE("pipeline: messages between two stages are sent and received in the same order") {
  for (const Schedule& schedule : random_schedules()) {
    std::map<std::pair<int, int>, std::vector<std::pair<Index, Index>>> sent, received;
    for_each_task(schedule, [&](int stage, const Task& task) {
      if (task.destination >= 0) sent[{stage, task.destination}].push_back(Schedule::unit(task));
      if (task.source >= 0) received[{task.source, stage}].push_back(Schedule::unit(task));
    });
    CHECK(sent == received);
  }
}

TEST_CASE("pipeline: a patch starts a step when the one before is sampled") {
  for (const Schedule& schedule : random_schedules()) {
    std::map<std::pair<Index, Index>, std::size_t> embedded,
        sampled;  // step, patch → place among stage 0's tasks
    const std::vector<Task>& tasks = schedule.tasks[0];
    for (std::size_t i = 0; i < tasks.size(); ++i)
      for (Index m = tasks[i].unit.patches.begin; m < tasks[i].unit.patches.end; ++m) {
        if (tasks[i].embed) embedded[{tasks[i].unit.step, m}] = i;
        if (tasks[i].sample) sampled[{tasks[i].unit.step, m}] = i;
      }
    for (const auto& [what, at] : embedded)
      if (what.first > 0) CHECK(sampled.at({what.first - 1, what.second}) < at);
  }
}

TEST_CASE("pipeline: a stage has one task a tick, but for a sample just before an embedding") {
  for (const Schedule& schedule : random_schedules())
    for (const std::vector<Task>& tasks : schedule.tasks)
      for (std::size_t i = 1; i < tasks.size(); ++i) {
        CHECK(tasks[i - 1].tick <= tasks[i].tick);
        if (tasks[i - 1].tick < tasks[i].tick) continue;
        CHECK(tasks[i - 1].sample);
        CHECK(tasks[i - 1].blocks.empty());
        CHECK(tasks[i].embed);
      }
}

TEST_CASE("pipeline: folded, with as many patches as stages or more, no stage idles after the warm-up") {
  for (int stages = 1; stages <= 5; ++stages)
    for (int patches = stages; patches <= stages + 3; ++patches) {
      constexpr Index steps = 5, warmup = 1;
      const Schedule schedule(job_of(Placement::folded, 20, patches, steps, warmup), stages);
      for (const std::vector<Task>& tasks : schedule.tasks) {
        std::set<Index> busy;
        Index first = tasks.back().tick, last = 0;  // in which this stage has both fronts and backs to run
        for (const Task& task : tasks) {
          busy.insert(task.tick);
          if (task.unit.step < warmup) continue;
          if (task.blocks.end > 10) first = std::min(first, task.tick);
          if (task.blocks.begin < 10) last = std::max(last, task.tick);
        }
        CHECK(last > first);
        for (Index tick = first; tick <= last; ++tick) CHECK(busy.contains(tick));
      }
    }
}

TEST_CASE("pipeline: contiguous, with more patches than stages, no stage idles either") {
  const Schedule schedule(job_of(Placement::contiguous, 7, 5, 4, 1), 3);
  for (const std::vector<Task>& tasks : schedule.tasks) {
    Index before = -1;
    for (const Task& task : tasks) {
      if (task.unit.step < 1 || task.blocks.empty()) continue;
      if (before >= 0) CHECK(task.tick == before + 1);
      before = task.tick;
    }
  }
}

TEST_CASE("pipeline: every stage marks its last task of every unit") {
  for (const Schedule& schedule : random_schedules())
    for (const std::vector<Task>& tasks : schedule.tasks) {
      std::map<std::pair<Index, Index>, std::size_t> last;
      for (std::size_t i = 0; i < tasks.size(); ++i) last[Schedule::unit(tasks[i])] = i;
      for (std::size_t i = 0; i < tasks.size(); ++i)
        CHECK(tasks[i].ends_unit == (last.at(Schedule::unit(tasks[i])) == i));
    }
}

TEST_CASE("pipeline: a single stage runs unit after unit and sends nothing") {
  const Schedule schedule(job_of(Placement::folded, 8, 1, 3, 1), 1);
  CHECK(schedule.tasks[0].size() == 6);
  for (const Task& task : schedule.tasks[0]) {
    CHECK(task.source == -1);
    CHECK(task.destination == -1);
  }
}

TEST_CASE("pipeline: windows cover the whole run, and the steady state is one of them") {
  for (const Schedule& schedule : random_schedules())
    for (const std::vector<Task>& tasks : schedule.tasks) {
      Index next = 0, tick = 0;
      for (const auto& [window, group] : task_groups(tasks, schedule.windows)) {
        CHECK(window.ticks.begin == tick);
        CHECK(group.begin == next);
        for (Index i = group.begin; i < group.end; ++i)
          for (Index time = 1; time < window.times; ++time) {
            const Task& first = tasks[static_cast<std::size_t>(i)];
            const Task& later = tasks[static_cast<std::size_t>(i + time * group.size())];
            CHECK(later.tick == first.tick + time * window.ticks.size());
            CHECK(later.unit.step == first.unit.step + time);
            CHECK(later.unit.patches == first.unit.patches);
            CHECK(later.blocks == first.blocks);
          }
        next += group.size() * window.times;
        tick += window.ticks.size() * window.times;
      }
      CHECK(next == static_cast<Index>(tasks.size()));
    }
  CHECK(Schedule(job_of(Placement::folded, 40, 1, 50, 1), 1).windows.size() == 1);
  CHECK(Schedule(job_of(Placement::folded, 40, 8, 50, 1), 4).windows.size() <= 4);
}

TEST_CASE("pipeline: windows of one recording have the same tasks, and as many of them leave blocks out") {
  std::mt19937 random(3);
  std::size_t shared = 0;
  for (const Schedule& full : random_schedules()) {
    Job job = full.job;
    job.steps += 6;
    for (Index step = 1; step < job.steps; ++step)
      if (random() % 2) job.reuse.steps.push_back(step);
    const Schedule schedule(job, full.stages);
    for (const std::vector<Task>& tasks : schedule.tasks) {
      std::map<Index, std::vector<std::array<Index, 7>>> recorded;
      for (const auto& [window, group] : task_groups(tasks, schedule.windows))
        for (Index time = 0; time < window.times; ++time) {
          const Index begin = window.ticks.begin + time * window.ticks.size();
          std::vector<std::array<Index, 7>> contents;
          for (Index i = group.begin; i < group.end; ++i) {
            const Task& task = tasks[static_cast<std::size_t>(i + time * group.size())];
            contents.push_back({task.tick - begin, task.unit.patches.begin, task.unit.patches.end,
                                task.blocks.begin, task.source, task.destination,
                                job.reuse.contains(task.unit.step)});
          }
          const auto [at, is_new] = recorded.try_emplace(window.recording, contents);
          CHECK(at->second == contents);
          shared += !is_new;
        }
    }
  }
  CHECK(shared > 500);
  Job job = job_of(Placement::folded, 40, 1, 50, 1);
  job.reuse = weft::skip_cache(3, 50, job.model);
  Index recordings = 0;
  for (const weft::Window& window : pipeline_windows(job, 1))
    recordings = std::max(recordings, window.recording + 1);
  CHECK(recordings == 2);
}

TEST_CASE("pipeline: an output is needed at the next tick, so that a message arrives in its window") {
  for (const Schedule& schedule : random_schedules()) {
    std::multiset<std::array<Index, 5>> made, needed;  // tick, from, to, step, first patch
    for (int stage = 0; stage < static_cast<int>(schedule.tasks.size()); ++stage)
      for (const Task& task : schedule.tasks[static_cast<std::size_t>(stage)]) {
        const Index step = task.unit.step, patch = task.unit.patches.begin;
        if (task.destination >= 0) made.insert({task.tick, stage, task.destination, step, patch});
        if (task.source >= 0) needed.insert({task.tick - 1, task.source, stage, step, patch});
      }
    CHECK(made == needed);
  }
}
