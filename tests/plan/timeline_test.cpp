#include "weft/plan/timeline.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "hunyuan.hpp"

using weft::Index;
using weft::Mesh;
using weft::planner::Activity;
using weft::planner::Timeline;
using weft::planner::TimelineSpan;

namespace {

Timeline run(const Mesh& mesh, int px = 1024, const weft::planner::EngineTraits& engine = {}) {
  return timeline_of(cost_of(mesh, px, engine), 6);
}

/// Seconds that a stage computes in a full step.
double computed(const Timeline& timeline, int stage) {
  double sum = 0;
  for (const TimelineSpan& span : timeline.spans)
    if (span.stage == stage && span.unit.step == 3 && span.activity == Activity::compute)
      sum += span.end - span.begin;
  return sum;
}

}  // namespace

TEST_CASE("A stage does one thing at a time, and steps end in their order") {
  for (const Mesh& mesh : {Mesh{.pipe = 4, .patches = 4}, Mesh{.pipe = 3, .ulysses = 2, .patches = 5}})
    for (const auto& engine : {weft::planner::EngineTraits{}, contiguous_engine(true)}) {
      const Timeline timeline = run(mesh, 1024, engine);
      for (int stage = 0; stage < mesh.pipe; ++stage) {
        double end = 0;
        for (const TimelineSpan& span : timeline.spans) {
          if (span.stage != stage || span.activity == Activity::stage_transfer) continue;
          CHECK(span.begin >= end - 1e-12);
          CHECK(span.end > span.begin);
          end = span.end;
        }
      }
      CHECK(timeline.spans.size() >= 2 * 6u);
      for (std::size_t step = 1; step < 6; ++step)
        CHECK(timeline.step_ends[step] > timeline.step_ends[step - 1]);
    }
}

TEST_CASE("The folded pipeline is full with as many patches as stages") {
  for (const int stages : {2, 4, 8}) {
    const Timeline timeline = run({.pipe = stages, .patches = stages}, 2048);
    double slowest = 0;  // 20 pairs of blocks are 2 or 3 a stage
    for (int stage = 0; stage < stages; ++stage) slowest = std::max(slowest, computed(timeline, stage));
    CHECK(timeline.step() < 1.03 * slowest);
  }
}

TEST_CASE("One rank's step is its blocks and ends") {
  const weft::planner::CostModel cost = cost_of({});
  const weft::Range all{0, 4096};
  const double blocks = 21 * cost.block(0, all).seconds() + 19 * cost.block(39, all).seconds();
  CHECK(timeline_of(cost, 4).step() == doctest::Approx(blocks + cost.ends(all)));
  CHECK(timeline_of(cost, 4).run(50) == doctest::Approx(50 * (blocks + cost.ends(all))));
}

TEST_CASE("Stages of the warm-up run one after the other") {
  const Timeline one = run({}), four = run({.pipe = 4, .patches = 4});
  CHECK(four.step_ends[0] > 0.99 * one.step_ends[0]);
  CHECK(four.step() < 0.4 * one.step());
}

TEST_CASE("Skips that wait for their reader stop a contiguous pipeline, shorter ones do not") {
  const weft::planner::EngineTraits engine = contiguous_engine(false);
  weft::planner::EngineTraits buffering = engine;
  buffering.buffered = 1e12;
  const Mesh mesh{.pipe = 8};
  CHECK(run(mesh, 2048, engine).step() > 2 * run(mesh, 2048, buffering).step());
  CHECK(run(mesh, 1024, engine).step() == doctest::Approx(run(mesh, 1024, buffering).step()));
}

TEST_CASE("Overlapped transfers cost less") {
  weft::planner::EngineTraits plain;
  plain.overlaps_stages = plain.overlaps_ring = false;
  for (const Mesh& mesh : {Mesh{.pipe = 4}, Mesh{.ring = 4}, Mesh{.pipe = 2, .ring = 2}})
    CHECK(run(mesh).step() < run(mesh, 1024, plain).step());
}
