// Work, weights and memory of models of real sizes, from their own code.
#include "weft/plan/counted_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "architectures.hpp"
#include "hunyuan.hpp"
#include "weft/model/flux.hpp"
#include "weft/model/pixart.hpp"
#include "weft/model/sd3.hpp"

namespace {

using weft::Index, weft::Mesh, weft::Range;
using weft::planner::CountedModel, weft::planner::ModelWork, weft::planner::RankRows, weft::planner::Work,
    weft::planner::WorkKind;

using Bf16 = weft::Counting<weft::counting::Number<2>>;
using Fp8 = weft::Counting<weft::counting::Number<2>, weft::counting::Number<1>>;

template <template <class> class Model, class Backend = Bf16, class Settings>
CountedModel<Model<Backend>> counted(const Settings& settings) {
  return {settings, weft::planner::sample_prompt(settings)};
}

/// Sums the numbers of all tensors that a model asks for, but for SD3's positions, which are no parameters.
struct Parameters {
  mutable Index numbers = 0;
  void expect(const std::map<std::string, weft::Shape>& all) const {
    for (const auto& [name, shape] : all)
      if (name != "pos_embed.pos_embed") numbers += weft::element_count(shape);
  }
  std::monostate get(const std::string&, const weft::Shape&) const { return {}; }
};

template <template <class> class Model, class Settings>
Index parameters(const Settings& settings) {
  const Parameters source;
  const Model<Bf16> model(settings, source);
  return source.numbers;
}

std::vector<Range> all_blocks(const ModelWork& work) { return {{0, work.shape().blocks}}; }

weft::planner::CostModel cost_on(std::string_view machine, const ModelWork& work, const Mesh& mesh,
                                 Index branches) {
  return {&work,
          weft::planner::machine_named(machine),
          {.gpus = static_cast<int>(mesh.ranks()), .tokens = 4096, .branches = branches, .steps = 28},
          {},
          mesh};
}

struct MeasuredStep {
  Mesh mesh;
  double ms;            // a step
  double error = 0.03;  // the largest share by which the model may miss it
};

/// Checks that steps at 1024 px on H200s in bf16 are met as closely as each says, and prints by how much the
/// model is off.
void check_on_h200s(const char* model, const ModelWork& work, Index branches,
                    const std::vector<MeasuredStep>& measured) {
  std::printf("%s:", model);
  for (const auto& [mesh, ms, most] : measured) {
    const double error = 1e3 * predict(cost_on("h200-nvlink", work, mesh, branches)).step / ms - 1;
    const std::string name = name_of(mesh);
    std::printf(" %s %+.1f %%;", name.substr(0, name.find(',')).c_str(), 100 * error);
    CAPTURE(name);
    CHECK(std::abs(error) < most);
  }
  std::printf("\n");
}

}  // namespace

TEST_CASE("Operations of a step at 1024 px are those of the models") {
  constexpr Index tokens = 4096;
  const auto tera = [](const ModelWork& work, Index images) { return flop(work, tokens, images) / 1e12; };
  CHECK(tera(hunyuan_work(), 2) == doctest::Approx(28.7).epsilon(0.01));
  CHECK(tera(counted<weft::PixArt>(pixart_sigma()), 2) == doctest::Approx(13.3).epsilon(0.01));
  CHECK(tera(counted<weft::SD3>(sd3_medium()), 2) == doctest::Approx(17.8).epsilon(0.01));
  CHECK(tera(counted<weft::SD3>(sd35_medium()), 2) == doctest::Approx(22.5).epsilon(0.01));
  CHECK(tera(counted<weft::SD3>(sd35_large()), 2) == doctest::Approx(62.2).epsilon(0.01));
  CHECK(tera(counted<weft::Flux>(flux_dev()), 1) == doctest::Approx(74.4).epsilon(0.01));
}

TEST_CASE("Models have as many weights as their authors' files, and their bytes are counted by blocks") {
  CHECK(parameters<weft::PixArt>(pixart_sigma()) == 610'856'096);
  CHECK(parameters<weft::Flux>(flux_dev()) == 11'901'408'320);
  CHECK(parameters<weft::SD3>(sd3_medium()) / 1e9 == doctest::Approx(2.03).epsilon(0.002));
  CHECK(parameters<weft::SD3>(sd35_medium()) / 1e9 == doctest::Approx(2.24).epsilon(0.002));
  CHECK(parameters<weft::SD3>(sd35_large()) / 1e9 == doctest::Approx(8.06).epsilon(0.002));

  const auto flux = counted<weft::Flux>(flux_dev());
  CHECK(static_cast<double>(flux.weights(all_blocks(flux))) ==
        doctest::Approx(2.0 * parameters<weft::Flux>(flux_dev())).epsilon(1e-4));
  const Index shared = flux.weights({});
  CHECK(flux.weights({{0, 20}}) + flux.weights({{20, 57}}) == flux.weights(all_blocks(flux)) + shared);

  // Blocks' layers of one byte a number; the wide ones are there while they are narrowed.
  const auto narrow = counted<weft::Flux, Fp8>(flux_dev());
  const double saved =
      static_cast<double>(flux.weights(all_blocks(flux)) - narrow.weights(all_blocks(narrow)));
  CHECK(saved == doctest::Approx(static_cast<double>(narrow.staged(all_blocks(narrow))) / 2).epsilon(1e-3));
  CHECK(narrow.staged({{0, 1}}) > 0);
  CHECK(flux.staged(all_blocks(flux)) == 0);
}

TEST_CASE("A subset of blocks is loaded into as many bytes as all blocks have for it") {
  const weft::SD3Config settings = sd35_medium();
  const auto all = counted<weft::SD3>(settings);
  for (const std::vector<Range>& blocks : {std::vector<Range>{{0, 3}}, {{2, 5}, {20, 24}}}) {
    const weft::SD3<Bf16> some(settings, weft::ShapesAlone{}, blocks);
    CHECK(some.weight_memory().bytes.size() == all.weights(blocks));
  }
}

TEST_CASE("A slice has its part of every block's matrices, and of the products") {
  constexpr weft::TensorSlice quarter{1, 4};
  const auto held = [](const ModelWork& work) {
    const auto of_blocks = [&work](weft::TensorSlice slice) {
      return static_cast<double>(work.weights(all_blocks(work), slice) - work.weights({}, slice));
    };
    return of_blocks(quarter) / of_blocks({});
  };
  CHECK(held(counted<weft::PixArt>(pixart_sigma())) == doctest::Approx(0.25).epsilon(0.01));
  CHECK(held(counted<weft::SD3>(sd35_large())) == doctest::Approx(0.25).epsilon(0.01));
  CHECK(held(counted<weft::Flux>(flux_dev())) == doctest::Approx(0.25).epsilon(0.01));
  CHECK(held(hunyuan_work()) == doctest::Approx(0.33).epsilon(0.02));  // skips and shifts are not split

  const auto products = [](const ModelWork& work, Index kind, weft::TensorSlice slice) {
    double sum = 0;
    for (const Work& some : work.block(kind, {.rows = 100, .prefix = 0, .slice = slice}))
      if (some.kind == WorkKind::product) sum += some.flop();
    return sum;
  };
  const auto flux = counted<weft::Flux>(flux_dev());
  for (const Index kind : {0, 19}) CHECK(products(flux, kind, quarter) == products(flux, kind, {}) / 4);
}

TEST_CASE("Slices save memory, and are the fastest mesh only where no other fits") {
  const auto flux = counted<weft::Flux>(flux_dev());
  const auto plan = [](const ModelWork& work, const char* machine, int gpus) {
    const Index branches = work.prefix() > 0 ? 1 : 2;
    return weft::planner::plan(work, weft::planner::machine_named(machine),
                               {.gpus = gpus, .tokens = 4096, .branches = branches, .steps = 28});
  };
  for (const ModelWork* work : {static_cast<const ModelWork*>(&flux), &hunyuan_work()})
    for (const int gpus : {2, 4, 8}) {
      const auto ranking = plan(*work, "h100-nvlink", gpus).ranking;
      const auto of = [&ranking](const Mesh& mesh) {
        return *std::ranges::find(ranking, name_of(mesh), [](const auto& p) { return name_of(p.mesh); });
      };
      CHECK(ranking.front().mesh.tensor == 1);
      const auto split = of({.ulysses = gpus}), sliced = of({.tensor = gpus});
      CHECK(sliced.total > split.total);
      CHECK(sliced.memory < split.memory);
    }
  CHECK(name_of(plan(flux, "t4-pcie", 2).ranking.front().mesh) == "tensor2");
}

TEST_CASE("Blocks of a kind share their work: HunyuanDiT has three kinds, SD3.5-medium three, FLUX two") {
  const auto kinds = [](const ModelWork& work) {
    std::vector<Index> out;
    for (Index i = 0; i < work.shape().blocks; ++i)
      if (work.kind(i) == i) out.push_back(i);
    return out;
  };
  CHECK(kinds(hunyuan_work()) == std::vector<Index>{0, 19, 21});  // keep their output; neither; read a skip
  CHECK(kinds(counted<weft::SD3>(sd35_medium())) == std::vector<Index>{0, 13, 23});
  CHECK(kinds(counted<weft::Flux>(flux_dev())) == std::vector<Index>{0, 19});
}

TEST_CASE("HunyuanDiT's block multiplies by its matrices, and attends to tokens and text") {
  const RankRows rows{.rows = 100, .prefix = 0, .images = 2};
  const auto block = hunyuan_work().block(hunyuan_work().kind(39), rows);
  std::vector<std::array<Index, 3>> products, attentions;
  for (const Work& work : block) {
    if (work.kind == WorkKind::product) products.push_back({work.m, work.n, work.k});
    if (work.kind == WorkKind::attention) attentions.push_back({work.m, work.n, work.k});
  }
  CHECK(products == std::vector<std::array<Index, 3>>{{200, 1408, 2816},
                                                      {200, 4224, 1408},
                                                      {200, 1408, 1408},
                                                      {200, 1408, 1408},
                                                      {200, 1408, 1408},
                                                      {200, 6144, 1408},
                                                      {200, 1408, 6144}});
  CHECK(attentions == std::vector<std::array<Index, 3>>{{100, 333, 32}});
  CHECK(std::ranges::count(block, WorkKind::heads, &Work::kind) == 1);
  const auto layer = std::ranges::find_if(
      block, [](const Work& work) { return work.kind == WorkKind::product && work.head_dim > 0; });
  CHECK((layer->n == 4224 && layer->head_dim == 88));
  CHECK(std::next(layer)->kind == WorkKind::heads);
}

TEST_CASE("Plans of joint models are sane: FLUX has no branches, and splits save time and memory") {
  const auto flux = counted<weft::Flux>(flux_dev());
  const weft::planner::Hardware& hardware = weft::planner::machine_named("h100-nvlink");
  double before = 1e9;
  for (const int gpus : {1, 2, 4, 8}) {
    const auto plan =
        weft::planner::plan(flux, hardware, {.gpus = gpus, .tokens = 4096, .branches = 1, .steps = 28});
    REQUIRE(!plan.ranking.empty());
    const auto& best = plan.ranking.front();
    MESSAGE("FLUX.1-dev, ", gpus, " GPUs: ", name_of(best.mesh), ", ", best.step * 1e3, " ms, ",
            best.memory / 1e9, " GB, ", best.sent / 1e6, " MB");
    for (const auto& prediction : plan.ranking) CHECK(prediction.mesh.cfg == 1);
    CHECK(best.total < before);
    before = best.total;
  }
  const auto large = counted<weft::SD3>(sd35_large());
  const auto plan = weft::planner::plan(large, hardware, {.gpus = 2, .tokens = 4096, .steps = 28});
  CHECK(name_of(plan.ranking.front().mesh) == "cfg2");
  const auto small = weft::planner::plan(flux, weft::planner::machine_named("t4-pcie"),
                                         {.gpus = 1, .tokens = 4096, .branches = 1});
  CHECK(small.ranking.empty());
  CHECK(small.rejected.front().reason.find("it needs 2") == 0);
}

// Nothing is fitted to these three models' steps but a barrier and what leaves early (plan/machines.hpp).
// `weft bench` on two H200s of several hosts, 2026-11-28, but for tensor2 of the day before, and
// `scripts/scaling` on four of one host that day.
TEST_CASE("Steps of FLUX.1-dev on H200s are met within 3 %") {
  check_on_h200s("FLUX.1-dev", counted<weft::Flux>(flux_dev()), 1,
                 {{{.ulysses = 2}, 64.7},
                  {{.ring = 2}, 64.0},
                  {{.pipe = 2, .patches = 2}, 61.3},
                  {{.tensor = 2}, 67.4},
                  {{}, 117.92},
                  {{.ring = 4}, 39.84},
                  {{.ulysses = 2, .ring = 2}, 36.67},
                  {{.ulysses = 4}, 36.63},
                  {{.pipe = 2, .ring = 2, .patches = 2}, 35.11},
                  {{.pipe = 2, .ulysses = 2, .patches = 2}, 34.93},
                  {{.pipe = 4, .patches = 4}, 34.35}});
}

TEST_CASE("Steps of SD3.5-large on H200s are met within 3 %, but for one") {
  check_on_h200s("SD3.5-large", counted<weft::SD3>(sd35_large()), 2,
                 {{{.ulysses = 2}, 58.7},
                  {{.pipe = 2, .patches = 2}, 56.9},
                  {{}, 108.92},
                  {{.ring = 4}, 35.99},
                  {{.ulysses = 2, .ring = 2}, 34.55},
                  {{.ulysses = 4}, 33.96},
                  {{.pipe = 2, .ring = 2, .patches = 2}, 32.87},
                  {{.pipe = 2, .ulysses = 2, .patches = 2}, 32.80},
                  {{.pipe = 4, .patches = 4}, 31.49},
                  {{.cfg = 2, .ring = 2}, 32.92},
                  {{.cfg = 2, .ulysses = 2}, 32.82, 0.04},
                  {{.cfg = 2, .pipe = 2, .patches = 2}, 31.35}});
}

TEST_CASE("Steps of PixArt-Σ on H200s are met within 3 %") {
  check_on_h200s("PixArt-Σ", counted<weft::PixArt>(pixart_sigma()), 2,
                 {{{.ulysses = 2}, 14.24},
                  {{.pipe = 2, .patches = 2}, 13.7},
                  {{}, 24.81},
                  {{.ring = 4}, 11.07},
                  {{.ulysses = 2, .ring = 2}, 9.10},
                  {{.ulysses = 4}, 8.93},
                  {{.pipe = 2, .ring = 2, .patches = 2}, 8.58},
                  {{.pipe = 2, .ulysses = 2, .patches = 2}, 8.23},
                  {{.pipe = 4, .patches = 4}, 7.93},
                  {{.cfg = 2, .ring = 2}, 8.24},
                  {{.cfg = 2, .ulysses = 2}, 8.23},
                  {{.cfg = 2, .pipe = 2, .patches = 2}, 7.87}});
}

TEST_CASE("Ranks that hold text alone have a cost, where a call of attention is the image's alone") {
  const auto medium = counted<weft::SD3>(sd35_medium());
  const auto cost = cost_on("h200-nvlink", medium, {.ulysses = 2}, 2).block(0, {0, medium.prefix()});
  CHECK(cost.seconds() > 0);
}

TEST_CASE("Text tokens travel with Ulysses and Ring, and in a pipeline once a step") {
  const auto flux = counted<weft::Flux>(flux_dev());
  const double a = 4608.0 * 3072 * 2;  // activations of the sequence
  const auto sent = [&flux](const Mesh& mesh) {
    return static_cast<double>(sent_in_step(cost_on("h100-nvlink", flux, mesh, 1), 0).total());
  };
  for (const int n : {2, 4, 8}) {
    CHECK(sent({.ulysses = n}) == doctest::Approx(57 * 4 * a * (n - 1) / n / n));
    CHECK(sent({.ring = n}) == doctest::Approx(57 * 2 * a * (n - 1) / n));
    CHECK(sent({.pipe = n}) == doctest::Approx(a));
    CHECK(sent({.tensor = n}) == doctest::Approx((2 * 19 + 38) * 2 * a * (n - 1) / n));
  }
}
