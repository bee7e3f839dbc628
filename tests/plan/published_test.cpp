// The cost model, with an engine like xDiT's, held against what xDiT published of HunyuanDiT. Its figures are
// read off charts. What the model gets wrong stays wrong here: a line that turns right is as much of a change
// as one that turns wrong.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "hunyuan.hpp"

using weft::Mesh;
using weft::RingCache;
using namespace std::string_literals;

namespace {

constexpr Mesh of(int cfg, int pipe, int ulysses, int ring) {
  return {.cfg = cfg, .pipe = pipe, .ulysses = ulysses, .ring = ring, .ring_cache = RingCache::rotate};
}

struct Line {
  Mesh mesh;
  double published;  // seconds
  bool is_right;     // the model is within a quarter
};

struct Chart {
  const char* name;
  const char* machine;
  bool is_compiled;
  int px, steps;
  double single;  // seconds on one GPU, to which the efficiency of its kind is fitted
  std::vector<Line> lines;
};

const std::vector<Chart>& charts() {
  static const std::vector<Chart> all{
      {"A100 eager",
       "a100-nvlink",
       false,
       1024,
       50,
       18.01,
       {{of(1, 1, 2, 1), 12.45, true}, {of(2, 2, 1, 1), 8.19, false}, {of(2, 4, 1, 1), 7.13, false}}},
      {"A100 compiled",
       "a100-nvlink",
       true,
       1024,
       50,
       14.21,
       {{of(2, 1, 1, 1), 9.05, false}, {of(2, 2, 1, 1), 5.18, false}, {of(2, 4, 1, 1), 4.04, false}}},
      {"A100 2048 px",
       "a100-nvlink",
       false,
       2048,
       50,
       90.23,
       {{of(2, 1, 1, 1), 55.83, true}, {of(2, 1, 1, 2), 31.66, true}, {of(2, 2, 1, 2), 16.46, true}}},
      {"A100 2048 px, PipeFusion",
       "a100-nvlink",
       false,
       2048,
       50,
       90.23,
       {{of(1, 2, 1, 1), 57.5, true}, {of(1, 4, 1, 1), 51, true}, {of(1, 8, 1, 1), 50.7, true}}},
      {"A100 2048 px, Ulysses",
       "a100-nvlink",
       false,
       2048,
       50,
       90.23,
       {{of(1, 1, 2, 1), 61.7, true}, {of(1, 1, 4, 1), 33.5, true}, {of(1, 1, 8, 1), 20.5, true}}},
      {"A100 2048 px, Ring",
       "a100-nvlink",
       false,
       2048,
       50,
       90.23,
       {{of(1, 1, 1, 2), 61, true}, {of(1, 1, 1, 4), 35, true}, {of(1, 1, 1, 8), 22, true}}},
      {"A100 1024 px, PipeFusion",
       "a100-nvlink",
       false,
       1024,
       50,
       19.9,
       {{of(1, 2, 1, 1), 12.5, true}, {of(1, 4, 1, 1), 9, false}, {of(1, 8, 1, 1), 7.3, false}}},
      {"A100 1024 px, Ulysses",
       "a100-nvlink",
       false,
       1024,
       50,
       19.9,
       {{of(1, 1, 2, 1), 13.7, true}, {of(1, 1, 4, 1), 8.8, false}, {of(1, 1, 8, 1), 8.3, false}}},
      {"A100 1024 px, Ring",
       "a100-nvlink",
       false,
       1024,
       50,
       19.9,
       {{of(1, 1, 1, 2), 13.3, true}, {of(1, 1, 1, 4), 11.1, false}, {of(1, 1, 1, 8), 11.4, true}}},
      {"L40 compiled",
       "l40-pcie",
       true,
       1024,
       20,
       14.03,
       {{of(2, 1, 1, 1), 7.58, true}, {of(2, 1, 2, 1), 6.13, true}, {of(2, 2, 2, 1), 6.14, false}}},
      {"L20 compiled",
       "l20-pcie",
       true,
       1024,
       50,
       17.25,
       {{of(2, 1, 1, 1), 9.63, true}, {of(2, 2, 1, 1), 6.47, true}, {of(2, 2, 2, 1), 5.5, true}}},
      {"V100 compiled",
       "v100-nvlink",
       true,
       1024,
       50,
       35.05,
       {{of(2, 1, 1, 1), 19.78, true}, {of(2, 1, 2, 1), 15.3, false}, {of(2, 2, 2, 1), 10.37, false}}},
      {"T4",
       "t4-pcie",
       true,
       1024,
       50,
       49.82,
       {{of(2, 1, 1, 1), 26.14, true}, {of(2, 1, 2, 1), 15.46, false}}}};
  return all;
}

/// Seconds that the model says of a chart's engine on its machine, whose GPUs `host` connects instead: the
/// loop, and what one GPU does besides: SDXL's decoder, 2.5 TFLOP at 512 px, and the text encoders.
double seconds(const Chart& chart, const Mesh& mesh, const weft::planner::EngineTraits& engine,
               const std::optional<weft::planner::Tier>& host = {}) {
  weft::planner::CostModel cost = cost_of(mesh, chart.px, engine, chart.machine);
  cost.request.steps = chart.steps;
  if (host) cost.hardware.tiers[0] = cost.hardware.tiers[1] = *host;
  const double alone = 2.5e12 * std::pow(chart.px / 512.0, 2) + 2e12;
  return predict(cost).total + alone / (cost.hardware.gpu.matrix_rate * engine.efficiency);
}

/// A change of an engine's traits, to find out what would have to be true.
using Change = std::function<void(weft::planner::EngineTraits&)>;

weft::planner::EngineTraits engine_of(const Chart& chart, double efficiency, const Change& change = {}) {
  weft::planner::EngineTraits engine = contiguous_engine(chart.is_compiled);
  if (change) change(engine);
  engine.efficiency = efficiency;
  return engine;
}

/// The efficiency of a kind of GPU: that at which the times of its charts on one GPU are met, of several on
/// the geometric mean.
double fitted_efficiency(const std::vector<Chart>& charts, const std::string& machine,
                         const Change& change = {}) {
  std::map<std::tuple<bool, int, double>, const Chart*> singles;  // several charts share one
  for (const Chart& chart : charts)
    if (chart.machine == machine) singles[{chart.is_compiled, chart.px, chart.single}] = &chart;
  double low = 0.01, high = 100;
  for (int i = 0; i < 40; ++i) {
    const double efficiency = std::sqrt(low * high);
    double error = 0;
    for (const auto& [key, chart] : singles)
      error += std::log(seconds(*chart, {}, engine_of(*chart, efficiency, change)) / chart->single);
    (error > 0 ? low : high) = efficiency;
  }
  return low;
}

/// A chart's engine on its machine, at the efficiency of its kind of GPU.
class Fitted {
 public:
  explicit Fitted(const Chart& chart, const std::vector<Chart>& all = charts(), const Change& change = {},
                  const std::optional<weft::planner::Tier>& host = {})
      : chart_(chart),
        engine_(engine_of(chart, fitted_efficiency(all, chart.machine, change), change)),
        host_(host) {}

  double efficiency() const { return engine_.efficiency; }

  double seconds(const Mesh& mesh) const { return ::seconds(chart_, mesh, engine_, host_); }

  /// The fastest mesh of so many GPUs with as many patches as stages, as that engine has them.
  std::pair<Mesh, double> best(int gpus) const {
    const weft::planner::PlanRequest request{
        .gpus = gpus, .tokens = tokens_of(chart_.px), .steps = chart_.steps};
    std::pair<Mesh, double> best{{}, 1e9};
    for (Mesh mesh : candidate_meshes(hunyuan(), request)) {
      if (mesh.patch_count() != mesh.pipe || (mesh.pipe & (mesh.pipe - 1)) != 0) continue;
      mesh.ring_cache = RingCache::rotate;
      if (const double time = seconds(mesh); time < best.second) best = {mesh, time};
    }
    return best;
  }

 private:
  const Chart& chart_;
  weft::planner::EngineTraits engine_;
  std::optional<weft::planner::Tier> host_;
};

/// The name of a mesh without its patches.
std::string axes_of(Mesh mesh) {
  mesh.patches = 1;
  return name_of(mesh);
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[values.size() / 2] + values[(values.size() - 1) / 2]) / 2;
}

const Chart& chart(const std::string& name) {
  return *std::find_if(charts().begin(), charts().end(), [&name](const Chart& c) { return c.name == name; });
}

}  // namespace

TEST_CASE("An engine like diffusers takes what diffusers took on an H100, at one efficiency") {
  // Milliseconds a step are seconds of 1000, beside which what one GPU does once is nothing.
  const std::vector<Chart> measured{{"1024 px, compiled", "h100-nvlink", true, 1024, 1000, 77.1, {}},
                                    {"2048 px, compiled", "h100-nvlink", true, 2048, 1000, 504, {}},
                                    {"1024 px, eager", "h100-nvlink", false, 1024, 1000, 154.6, {}},
                                    {"2048 px, eager", "h100-nvlink", false, 2048, 1000, 786, {}}};
  for (const Chart& chart : measured) {
    const Fitted fitted(chart, measured);
    std::printf("H100, %s: %.1f ms, model %.1f ms at %.2f\n", chart.name, chart.single, fitted.seconds({}),
                fitted.efficiency());
    CHECK(fitted.seconds({}) == doctest::Approx(chart.single).epsilon(0.1));
  }
}

TEST_CASE("Published times: which the model explains, and half of them to a quarter") {
  std::printf("| chart | reached | on one | 2 GPUs | 4 GPUs | 8 GPUs |\n|---|---|---|---|---|---|\n");
  std::vector<double> errors;
  for (const Chart& chart : charts()) {
    const Fitted fitted(chart);
    const double single = fitted.seconds({});
    std::printf("| %s | %.2f | %.2f → %.2f s ", chart.name, fitted.efficiency(), chart.single, single);
    CHECK(single == doctest::Approx(chart.single).epsilon(0.25));
    for (const Line& line : chart.lines) {
      const double model = fitted.seconds(line.mesh), error = model / line.published - 1;
      errors.push_back(std::abs(error));
      std::printf("| %s %.2f → %.2f s, %+.0f %%, %s ", axes_of(line.mesh).c_str(), line.published, model,
                  100 * error, std::abs(error) <= 0.25 ? "right" : "wrong");
      CAPTURE(std::string(chart.name));
      CAPTURE(name_of(line.mesh));
      CHECK((std::abs(error) <= 0.25) == line.is_right);
    }
    std::printf("|\n");
  }
  const auto right = std::count_if(errors.begin(), errors.end(), [](double error) { return error <= 0.25; });
  std::printf("%d of %zu right, median error %.1f %%\n", static_cast<int>(right), errors.size(),
              100 * median_of(errors));
  CHECK(median_of(errors) <= 0.25);
}

TEST_CASE("Right: cfg2·pipe4 is best on 8 A100s at 1024 px, or within 5 %, and a cfg2 hybrid on 4") {
  for (const char* name : {"A100 eager", "A100 compiled"}) {
    const Fitted fitted(chart(name));
    const auto [eight, seconds] = fitted.best(8);
    std::printf("%s: %s %.2f s on 8, cfg2·pipe4 %.2f s; %s on 4, cfg2·pipe2 %.2f s\n", name,
                name_of(eight).c_str(), seconds, fitted.seconds(of(2, 4, 1, 1)),
                name_of(fitted.best(4).first).c_str(), fitted.seconds(of(2, 2, 1, 1)));
    CHECK(fitted.seconds(of(2, 4, 1, 1)) <= 1.05 * seconds);
    CHECK(fitted.best(4).first.cfg == 2);
  }
}

TEST_CASE("Right: Ring scales worst at 1024 px and closes in on Ulysses at 2048 px") {
  const Fitted small(chart("A100 1024 px, Ring")), large(chart("A100 2048 px, Ring"));
  CHECK(small.seconds(of(1, 1, 1, 8)) > small.seconds(of(1, 1, 8, 1)));
  CHECK(small.seconds(of(1, 1, 1, 8)) > small.seconds(of(1, 8, 1, 1)));
  CHECK(large.seconds(of(1, 1, 1, 8)) / large.seconds(of(1, 1, 8, 1)) <
        small.seconds(of(1, 1, 1, 8)) / small.seconds(of(1, 1, 8, 1)));
}

TEST_CASE("Right: PipeFusion alone stops scaling at 2048 px, the hybrid with ring does not") {
  const Fitted fitted(chart("A100 2048 px"));
  CHECK(fitted.seconds(of(1, 8, 1, 1)) > 0.9 * fitted.seconds(of(1, 2, 1, 1)));
  CHECK(fitted.seconds(of(2, 2, 1, 2)) < 0.6 * fitted.seconds(of(2, 1, 1, 2)));
}

TEST_CASE("Wrong: nothing is gained from 4 to 8 L40s, and 8 L20s are not slower") {
  const Fitted l40(chart("L40 compiled")), l20(chart("L20 compiled"));
  const double four = l40.seconds(of(2, 1, 2, 1)), eight = l40.seconds(of(2, 2, 2, 1)),
               other = l20.seconds(of(2, 2, 2, 1));
  std::printf("L40: %.2f s on 4, %.2f s on 8; L20: %.2f s on 8\n", four, eight, other);
  CHECK_FALSE(eight > 0.95 * four);
  CHECK_FALSE(other <= eight);
}

TEST_CASE("What would have to be true of L20 and T4: 20 steps, as L40 has, and no GPU beats its own rates") {
  std::vector<Chart> short_charts = charts();
  for (Chart& chart : short_charts)
    if (chart.steps == 50 && (chart.name == "L20 compiled"s || chart.name == "T4"s)) chart.steps = 20;
  for (const Chart& chart : short_charts) {
    const Fitted fitted(chart, short_charts);
    if (chart.steps == 20) std::printf("%s, 20 steps: efficiency %.2f", chart.name, fitted.efficiency());
    CHECK(fitted.efficiency() < 1);
    if (chart.steps != 20) continue;
    for (const Line& line : chart.lines) std::printf(", %.2f s", fitted.seconds(line.mesh));
    std::printf("\n");
  }
}

TEST_CASE("What would have to be true of the L40s: one link of 13 GB/s for all messages of the host") {
  const Chart& published = chart("L40 compiled");
  const Fitted fitted(published, charts(), {}, weft::planner::Tier{8, 13e9, 20e-6, true});
  for (const Line& line : published.lines) {
    std::printf("L40, one link, %s: %.2f s\n", name_of(line.mesh).c_str(), fitted.seconds(line.mesh));
    CHECK(fitted.seconds(line.mesh) == doctest::Approx(line.published).epsilon(0.25));
  }
  CHECK(fitted.seconds(of(2, 2, 2, 1)) > 0.95 * fitted.seconds(of(2, 1, 2, 1)));
  CHECK(fitted.seconds(of(2, 2, 2, 1)) > Fitted(chart("L20 compiled")).seconds(of(2, 2, 2, 1)));
}

TEST_CASE("What would have to be true of the V100s: messages at 5 GB/s a GPU, as over PCIe") {
  const Chart& published = chart("V100 compiled");
  const Fitted fitted(published, charts(), {}, weft::planner::Tier{8, 5e9, 20e-6});
  for (const Line& line : published.lines)
    CHECK(fitted.seconds(line.mesh) == doctest::Approx(line.published).epsilon(0.1));
}

TEST_CASE(
    "What would have to be true of the A100s: a host half as fast as the H100's, and links of 16 GB/s") {
  const Change slow_host = [](weft::planner::EngineTraits& engine) {
    engine.host_per_block *= 2, engine.host_per_exchange *= 2, engine.per_unit *= 2;
  };
  std::vector<double> errors;
  for (const Chart& chart : charts()) {
    if (chart.machine != "a100-nvlink"s) continue;
    const Fitted fitted(chart, charts(), slow_host, weft::planner::Tier{8, 16e9, 20e-6});
    for (const Line& line : chart.lines)
      errors.push_back(std::abs(fitted.seconds(line.mesh) / line.published - 1));
  }
  const auto right = std::count_if(errors.begin(), errors.end(), [](double error) { return error <= 0.25; });
  std::printf("A100 with a slow host and slow links: %d of %zu right, median error %.1f %%\n",
              static_cast<int>(right), errors.size(), 100 * median_of(errors));
  CHECK(median_of(errors) < 0.12);
}
