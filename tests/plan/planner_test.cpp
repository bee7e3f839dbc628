#include "weft/plan/planner.hpp"

#include <doctest/doctest.h>

#include <ctime>
#include <map>

#include "hunyuan.hpp"

using weft::Mesh;
using weft::planner::Plan;
using weft::planner::PlanRequest;
using weft::planner::predict;

namespace {

const weft::planner::Hardware& a100 = weft::planner::machine_named("a100-nvlink");

Plan plan_of(const PlanRequest& request, const char* machine = "a100-nvlink") {
  return weft::planner::plan(hunyuan_work(), weft::planner::machine_named(machine), request);
}

/// How many times as long the thread sanitizer's checks may take.
#ifdef __SANITIZE_THREAD__
constexpr double slower = 20;
#else
constexpr double slower = 1;
#endif

/// Returns the processor's seconds, which other programs do not prolong.
double seconds_to_plan(int gpus) {
  const std::clock_t begin = std::clock();
  plan_of({.gpus = gpus, .tokens = tokens_of(4096)}, "h100-nvlink");
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("The bytes that a rank sends are those of the methods' formulas") {
  const double a = 2.0 * 4096 * 1408 * 2, all = a * 40;
  for (const int n : {2, 4, 8}) {
    CHECK(predict(cost_of({.ulysses = n})).sent == doctest::Approx(4.0 * (n - 1) / (n * n) * all));
    CHECK(predict(cost_of({.ring = n})).sent == doctest::Approx(2.0 * (n - 1) / n * all));
    CHECK(predict(cost_of({.tensor = n})).sent == doctest::Approx(3 * 2.0 * (n - 1) / n * all));
    CHECK(predict(cost_of({.pipe = n})).sent == doctest::Approx(n == 2 ? a : 2 * a));
  }
  const std::map<int, int> contiguous{{2, 20}, {4, 11}, {8, 6}};
  for (const auto& [n, activations] : contiguous)
    CHECK(predict(cost_of({.pipe = n}, 1024, contiguous_engine(true))).sent ==
          doctest::Approx(activations * a));
  CHECK(predict(cost_of({.cfg = 2})).sent == 4096 * 16 * 4);  // predictions in float32
}

TEST_CASE("Steps that leave blocks out take the time of the others, and memory for what these have added") {
  const double residuals = 2.0 * (2.0 * 4096 * 1408 * 2);  // of both halves of the blocks
  for (const Mesh& mesh : {Mesh{}, {.cfg = 2}, {.ulysses = 4}, {.pipe = 4}}) {
    auto cost = cost_of(mesh);
    const auto full = predict(cost);
    cost.request.reuse = weft::skip_cache(2, cost.request.steps, cost.model());
    const auto ends = predict(cost);
    cost.request.reuse.ends = 0;
    const auto none = predict(cost);
    CHECK(ends.step == full.step);
    CHECK(none.total < ends.total);
    CHECK(none.memory == ends.memory);
    if (mesh.pipe > 1) {  // stages wait where full units meet others
      CHECK(ends.total < full.total);
      continue;
    }
    CHECK(none.total / full.total == doctest::Approx(0.51).epsilon(0.02));
    CHECK(ends.total / full.total == doctest::Approx(0.535).epsilon(0.02));
    CHECK(none.memory - full.memory ==
          doctest::Approx(residuals / static_cast<double>(mesh.ranks())).epsilon(1e-3));
  }
  const auto tera = [](weft::Range spared) { return flop(hunyuan_work(), 4096, 2, spared) / 1e12; };
  CHECK(tera({1, 39}) == doctest::Approx(tera({}) / 20).epsilon(0.02));
  CHECK(tera({0, 40}) < 0.05);
}

TEST_CASE("One GPU's step takes what bench measured on an H200, within 10 %") {
  const std::map<int, double> measured{
      {512, 11.46e-3}, {1024, 50.98e-3}, {2048, 332.65e-3}};  // bf16, 2026-11-25
  for (const auto& [px, seconds] : measured) {
    CAPTURE(px);
    const Plan plan = plan_of({.gpus = 1, .tokens = tokens_of(px)}, "h200-nvlink");
    CHECK(plan.ranking.front().step == doctest::Approx(seconds).epsilon(0.1));
  }
}

TEST_CASE("A plan ranks meshes that can run, the fastest first, and each once") {
  for (const int gpus : {1, 2, 6, 7, 8, 30}) {
    const Plan plan = plan_of({.gpus = gpus, .tokens = tokens_of(1024), .prompts = 3});
    REQUIRE(!plan.ranking.empty());
    for (std::size_t i = 0; i < plan.ranking.size(); ++i) {
      const Mesh& mesh = plan.ranking[i].mesh;
      CHECK(mesh.ranks() == gpus);
      CHECK(!weft::check<weft::planner::AllMethods>(mesh, hunyuan(), {3, 2, tokens_of(1024), 50}, gpus));
      if (i > 0) CHECK(plan.ranking[i - 1].total <= plan.ranking[i].total);
      for (std::size_t j = 0; j < i; ++j) CHECK(name_of(mesh) != name_of(plan.ranking[j].mesh));
    }
  }
}

TEST_CASE("More GPUs are faster, and the parts of a step's time add up") {
  double before = 1e9;
  for (const int gpus : {1, 2, 4, 8, 16}) {
    const weft::planner::Prediction best = plan_of({.gpus = gpus, .tokens = tokens_of(2048)}).ranking.front();
    CHECK(best.total < before);
    before = best.total;
    const weft::planner::Bounds& b = best.bounds;
    CHECK(b.products + b.attention + b.rows + b.ulysses + b.ring + b.stages + b.idle + b.host ==
          doctest::Approx(best.step).epsilon(0.03));
  }
}

TEST_CASE("Exact plans split no stages") {
  for (const weft::planner::Prediction& p : plan_of({.gpus = 8, .tokens = 4096, .exact = true}).ranking)
    CHECK(p.mesh.patch_count() == 1);
}

TEST_CASE("Meshes that do not fit in memory are rejected with a reason") {
  const Plan plan = plan_of({.gpus = 2, .tokens = 200000}, "t4-pcie");
  REQUIRE(!plan.rejected.empty());
  for (const weft::planner::Rejection& rejection : plan.rejected)
    CHECK(rejection.reason.find("GB on a GPU") != std::string::npos);
  for (const weft::planner::Prediction& p : plan.ranking) CHECK(p.memory < 16e9);
  CHECK(explanation_of(plan_of({.gpus = 1, .tokens = 2000000}, "t4-pcie"))
            .starts_with("No mesh fits: it needs"));
}

TEST_CASE("One GPU holds the weights, activations and keys of one image") {
  const double memory = predict(cost_of({})).memory;
  CHECK(memory > 2 * 1.43e9);  // the blocks' weights in 16 bits
  CHECK(memory < 5e9);
}

TEST_CASE(
    "Attention in int8 takes a key of 128 bytes, and a scale for 32 of them, of those that it reads at "
    "once") {
  const auto taken = [](const Mesh& mesh, int px = 1024) {
    auto cost = cost_of(mesh, px);
    const double without = memory_use(cost, 0).activations;
    cost.engine.attends_in_int8 = true;
    return memory_use(cost, 0).activations - without;
  };
  constexpr double a_head = 4096 * 128 + 132 * 4;  // scales of three tiles of 128 keys together
  CHECK(taken({}) == 2 * 16 * a_head);
  CHECK(taken({.cfg = 2}) == 16 * a_head);
  CHECK(taken({.ulysses = 2}) == 2 * 8 * a_head);
  CHECK(taken({.ring = 2}) == 2 * 16 * (2048 * 128 + 72 * 4));
  CHECK(taken({.pipe = 2, .patches = 4}) == 2 * 16 * a_head);
  CHECK(taken({}, 496) == 0);  // fewer than 1024 keys stay in 16 bits
}

TEST_CASE("A rank keeps only keys of its heads: none on one rank, those of all its blocks with patches") {
  const double a = 2.0 * 4096 * 1408 * 2, text = 2.0 * 333 * 1408 * 2;
  const auto use = [](const Mesh& mesh) { return memory_use(cost_of(mesh), 0); };
  CHECK(use({}).keys == 0);
  CHECK(use({.ulysses = 2}).keys == doctest::Approx(a + a / 2));  // keys and values; queries
  CHECK(use({.pipe = 2, .patches = 4}).keys == doctest::Approx(2 * 20 * a));
  const double sums = 4.0 * 2048 * 2 * 16;  // logarithms of Ring
  CHECK(use({.pipe = 2, .ring = 2, .ring_cache = weft::RingCache::rotate}).keys ==
        doctest::Approx(20 * a + 2 * a + sums));
  // Those of the text are the model's: of its own blocks.
  CHECK(use({}).conditioning > 2 * 40 * text);
  CHECK(use({}).conditioning - use({.pipe = 2, .patches = 4}).conditioning > 2 * 20 * text);
  CHECK(use({}).conditioning < 2.4 * 40 * text);
}

TEST_CASE(
    "Ranks of a device share the weights of their blocks, and stages on devices of their own have no "
    "others") {
  const weft::planner::CostModel cost = cost_of({.pipe = 4, .patches = 4});
  const auto of_stage = [&cost](int stage) { return memory_use(cost, stage); };
  CHECK(largest_shared_use(cost, 4).total() == doctest::Approx(largest_memory_use(cost).total()));
  const weft::planner::MemoryUse pair = shared_memory_use(cost, {0, 2});
  CHECK(pair.keys == doctest::Approx(of_stage(0).keys + of_stage(1).keys));
  CHECK(pair.weights < of_stage(0).weights + of_stage(1).weights);  // weights outside of blocks count once
  CHECK(pair.weights == doctest::Approx(hunyuan_work().weights({{0, 10}, {30, 40}})));
  const double whole = memory_use(cost_of({}), 0).weights;
  CHECK(largest_shared_use(cost, 1).weights == doctest::Approx(whole));
  CHECK(largest_shared_use(cost, 2).weights < 0.6 * whole);
  CHECK(largest_shared_use(cost_of({.ulysses = 4}), 2).weights == doctest::Approx(whole));
}

TEST_CASE("Requests without GPUs, tokens or steps are rejected") {
  CHECK_THROWS_AS(plan_of({.gpus = 0, .tokens = 4096}), weft::InvalidArgument);
  CHECK_THROWS_AS(plan_of({.gpus = 1, .tokens = 0}), weft::InvalidArgument);
  CHECK_THROWS_AS(plan_of({.gpus = 1, .tokens = 4096, .steps = 0}), weft::InvalidArgument);
}

TEST_CASE("Eight GPUs are planned in 100 ms, 512 in a second") {
  CHECK(seconds_to_plan(8) < 0.1 * slower);
  CHECK(seconds_to_plan(512) < 1 * slower);
}

TEST_CASE("A plan is explained in two sentences") {
  const std::string text = explanation_of(plan_of({.gpus = 8, .tokens = 4096}));
  CHECK(text.starts_with("cfg2·pipe4, 4 patches takes "));
  CHECK(text.find(". The next other way, ") != std::string::npos);
  CHECK(text.ends_with("."));
  const std::string alone = explanation_of(plan_of({.gpus = 1, .tokens = 4096}));
  CHECK(alone.starts_with("one rank takes "));
  CHECK(alone.find("times as fast") == std::string::npos);
  CHECK(alone.ends_with(
      " ms a step: most goes into matrix products, and no transfer is waited for. There is no other "
      "way to split the work."));
}

TEST_CASE("The next mesh is slower for a reason: it waits more, warms up longer or computes longer") {
  const weft::planner::Prediction best{.mesh = {}, .step = 1, .total = 10, .bounds = {.products = 1}};
  const auto other = [](double products, double ring, double warmup) {
    const double step = products + ring;
    return weft::planner::Prediction{.mesh = {},
                                     .step = step,
                                     .total = 10 * step + warmup,
                                     .warmup = warmup,
                                     .bounds = {.products = products, .ring = ring}};
  };
  CHECK(reason_of(best, other(1, 0.25, 1)) == "with 20.0 % of the ring's transfers");
  CHECK(reason_of(best, other(1, 0.05, 1)) == "since its warm-up takes longer");
  CHECK(reason_of(best, other(1.2, 0.05, 1)) == "since its kernels are less efficient at their sizes");
}

TEST_CASE("Meshes have names") {
  CHECK(name_of(Mesh{}) == "one rank");
  CHECK(name_of(Mesh{.cfg = 2, .ulysses = 4}) == "cfg2·ulysses4");
  CHECK(name_of(Mesh{.pipe = 2, .ring = 2, .patches = 4}) == "pipe2·ring2, 4 patches, keys copied");
}

TEST_CASE("A chart has a row for every stage, a colour for every patch and no red one") {
  const std::string svg = gantt_svg(cost_of({.cfg = 2, .pipe = 4, .ulysses = 2}));
  for (const char* part : {"<svg", "stage 3", "patch 3", "waits inside attention", "step 2:", "</svg>"})
    CHECK(svg.find(part) != std::string::npos);
  CHECK(svg.find("stage 4") == std::string::npos);
  CHECK(svg.find("hsl(0,") == std::string::npos);
}
