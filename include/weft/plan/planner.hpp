// Planner: ranks the meshes that a model, its hardware and an image allow, the fastest first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "weft/plan/memory.hpp"
#include "weft/plan/timeline.hpp"
#include "weft/plan/traffic.hpp"
#include "weft/policy/check.hpp"

namespace weft::inline v0_1::planner {

/// The parts of a step's time on the slowest rank.
struct Bounds {
  double products = 0, attention = 0, rows = 0, ulysses = 0, ring = 0, tensor = 0, stages = 0, idle = 0,
         host = 0;
};

/// The cost model's prediction for a mesh.
struct Prediction {
  Mesh mesh;
  double step = 0;    // seconds of a full one, after the warm-up
  double total = 0;   // seconds of all steps
  double warmup = 0;  // seconds that the first steps take longer than later full ones
  double memory = 0;  // bytes, on the rank that needs most
  double sent = 0;    // bytes a step, of the rank that sends most
  Bounds bounds;      // seconds of a step
};

/// A mesh that cannot run, and why.
struct Rejection {
  Mesh mesh;
  std::string reason;
};

struct Plan {
  Prediction single;                // one GPU, whether or not its memory suffices
  std::vector<Prediction> ranking;  // the fastest first
  std::vector<Rejection> rejected;
};

/// Stands for a stack of all policies in `check`.
struct AllMethods {
  static constexpr bool has(Axis) { return true; }
  static constexpr bool reuses_steps = true;
};

namespace detail {

constexpr Index shown_steps(const Mesh& mesh) { return mesh.warmup + 4; }

}  // namespace detail

/// Predicts the costs of a mesh that `check` allows.
inline Prediction predict(const CostModel& cost) {
  Prediction out{};
  out.mesh = cost.mesh;
  CostModel full = cost;
  full.request.reuse = {};
  const Index steps = cost.request.steps;
  const Timeline timeline = timeline_of(full, detail::shown_steps(cost.mesh));
  out.step = timeline.step();
  out.total = timeline.run(steps);
  out.warmup = out.total - static_cast<double>(steps) * out.step;
  if (!cost.request.reuse.empty()) out.total = timeline_of(cost, std::max<Index>(steps, 3)).run(steps);

  out.memory = largest_memory_use(cost).total();
  const DitShape placed = cost.placed();
  const std::vector<int> alike = detail::alike_stages(*cost.work, placed, cost.mesh.pipe, cost.request.reuse);
  UnitCosts costs(cost);
  double longest = -1;
  for (int stage = 0; stage < cost.mesh.pipe; ++stage) {
    if (alike[static_cast<std::size_t>(stage)] != stage) continue;
    const SentBytes sent = sent_in_step(cost, detail::largest_ranks(cost, stage).front());
    out.sent = std::max(out.sent, static_cast<double>(sent.total()));
    BlockCost all;
    const std::vector<Range> blocks = pipeline_blocks(placed, cost.mesh.pipe, stage);
    for (int m = 0; m < cost.mesh.patch_count(); ++m) {
      const UnitCost& unit = costs.of(cost.patch(m));
      for (const Range& range : blocks)
        for (Index i = range.begin; i < range.end; ++i) all += costs.block(unit, i);
      all.rows += stage == 0 ? unit.ends : 0;
    }
    if (all.seconds() <= longest) continue;
    longest = all.seconds();
    out.bounds = {.products = all.products,
                  .attention = all.attention,
                  .rows = all.rows,
                  .ulysses = all.ulysses,
                  .ring = all.ring,
                  .tensor = all.tensor,
                  .host = all.host};
  }
  const double begin = timeline.step_begin();
  for (const TimelineSpan& span : timeline.spans)
    if (span.activity == Activity::stage_transfer && span.stage == cost.mesh.pipe - 1)
      out.bounds.stages += std::max(0.0, std::min(span.end, begin + out.step) - std::max(span.begin, begin));
  const Bounds& b = out.bounds;
  out.bounds.idle = std::max(
      0.0, out.step - b.products - b.attention - b.rows - b.ulysses - b.ring - b.tensor - b.stages - b.host);
  return out;
}

/// Returns every mesh of `request.gpus` ranks, with one, two and four patches a stage. Slices beside stages
/// are left out: stages divide the weights too, and send less.
inline std::vector<Mesh> candidate_meshes(const DitShape& model, const PlanRequest& request) {
  std::vector<Mesh> out;
  const auto divisors = [](Index n, Index most) {
    std::vector<int> all;
    for (Index d = 1; d <= std::min(n, most); ++d)
      if (n % d == 0) all.push_back(static_cast<int>(d));
    return all;
  };
  const Index stages = request.exact ? 1 : model.most_stages();
  const Index ranks = request.gpus;
  for (const int data : divisors(ranks, request.prompts))
    for (const int cfg : divisors(ranks / data, request.branches))
      for (const int pipe : divisors(ranks / data / cfg, stages))
        for (const int tensor : divisors(ranks / data / cfg / pipe, pipe > 1 ? 1 : model.most_slices())) {
          const Index left = ranks / data / cfg / pipe / tensor;
          for (const int ulysses : divisors(left, model.heads_of({0, tensor}).size())) {
            const int ring = static_cast<int>(left / ulysses);
            for (const int patches : {1, 2, 4}) {
              if (pipe == 1 && patches > 1) break;
              for (const RingCache cache : {RingCache::automatic, RingCache::rotate}) {
                if (cache == RingCache::rotate && (pipe == 1 || ring == 1)) break;
                out.push_back({.data = data,
                               .cfg = cfg,
                               .pipe = pipe,
                               .ulysses = ulysses,
                               .ring = ring,
                               .tensor = tensor,
                               .patches = pipe == 1 ? 0 : patches * pipe,
                               .warmup = pipe == 1 ? Mesh{}.warmup : request.warmup,
                               .ring_cache = cache});
              }
            }
          }
        }
  return out;
}

/// Ranks the meshes on `request.gpus` GPUs. Throws InvalidArgument if the request has no GPUs, tokens or
/// steps.
inline Plan plan_among(const std::vector<Mesh>& meshes, const ModelWork& work, const Hardware& hardware,
                       const PlanRequest& request, const EngineTraits& engine = {}) {
  if (request.gpus < 1) reject("the plan is for ", request.gpus, " GPUs and needs at least 1");
  if (request.tokens < 1) reject("the image has ", request.tokens, " tokens and needs at least 1");
  if (request.steps < 1) reject("the plan is for ", request.steps, " steps and needs at least 1");
  const Demand demand{request.prompts, request.branches, work.prefix() + request.tokens, request.steps};
  Plan out{.single = predict({&work, hardware, request, engine, {}}), .ranking = {}, .rejected = {}};
  for (const Mesh& mesh : meshes) {
    if (const auto fault = check<AllMethods>(mesh, work.shape(), demand, request.gpus)) {
      out.rejected.push_back({mesh, to_string(*fault)});
      continue;
    }
    Prediction prediction = predict({&work, hardware, request, engine, mesh});
    const double room = usable_memory(hardware.gpu);
    if (prediction.memory > room) {
      out.rejected.push_back({mesh, sentence("it needs ", prediction.memory / 1e9, " GB on a GPU, and ",
                                             room / 1e9, " GB of its memory can be used")});
    } else {
      out.ranking.push_back(std::move(prediction));
    }
  }
  std::stable_sort(out.ranking.begin(), out.ranking.end(),
                   [](const Prediction& a, const Prediction& b) { return a.total < b.total; });
  return out;
}

/// Ranks all meshes of `request.gpus` GPUs; needs no GPU itself. Throws InvalidArgument as `plan_among` does.
inline Plan plan(const ModelWork& work, const Hardware& hardware, const PlanRequest& request,
                 const EngineTraits& engine = {}) {
  return plan_among(candidate_meshes(work.shape(), request), work, hardware, request, engine);
}

}  // namespace weft::inline v0_1::planner
