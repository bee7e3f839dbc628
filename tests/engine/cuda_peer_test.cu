// Meshes of ranks that are threads on CUDA devices against one rank.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "host_reference.hpp"
#include "on_devices.cuh"
#include "staleness.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/core/exposure.hpp"
#include "weft/model/weight_source.hpp"

namespace {

using Every = weft::DataParallel<
    weft::CfgParallel<weft::StepCache<weft::PipeFusion<weft::TensorParallel<weft::Ulysses<weft::Ring<>>>>>>>;

template <class Element>
using OnDevice = weft::HunyuanDiT<weft::Cuda<Element, 16, 88>>;
template <class Element>
using Models = OnDevices<OnDevice<Element>>;

template <class Element, class Work>
weft::Tensor on_one(const Models<Element>& models, const Work& work) {
  weft::Solo<weft::cuda::Queue> world;
  weft::Engine<OnDevice<Element>, weft::StepCache<>, weft::Solo<weft::cuda::Queue>> engine(models.on(0), {},
                                                                                           world);
  return work(engine);
}

/// Returns what `work` returns on rank 0 of a mesh.
template <class Element, class Work>
weft::Tensor on_mesh(const Models<Element>& models, const weft::Mesh& mesh, const Work& work,
                     weft::Trace* trace = nullptr) {
  weft::Tensor out;
  weft::peer::launch(mesh.ranks(),
                     [&](weft::peer::World& world) {
                       weft::Engine<OnDevice<Element>, Every, weft::peer::World> engine(
                           models.on(world.device()), mesh, world);
                       weft::Tensor own = work(engine);
                       CHECK(engine.loop_counts() == weft::QueueCounts());
                       if (world.rank() == 0) out = std::move(own);
                     },
                     {.trace = trace});
  return out;
}

std::string described(const weft::Mesh& mesh) {
  return weft::sentence("data ", mesh.data, " cfg ", mesh.cfg, " pipe ", mesh.pipe, " ulysses ", mesh.ulysses,
                        " ring ", mesh.ring, " patches ", mesh.patch_count(), " warmup ", mesh.warmup);
}

/// Returns meshes of up to 8 ranks, with all methods and mixes of them.
std::vector<weft::Mesh> meshes(const weft::DitShape& model) {
  std::vector<weft::Mesh> out{{.cfg = 2},
                              {.ulysses = 2},
                              {.ring = 2},
                              {.pipe = 2},
                              {.ulysses = 4},
                              {.ring = 4},
                              {.pipe = 4},
                              {.cfg = 2, .ulysses = 4},
                              {.cfg = 2, .pipe = 2, .ulysses = 2},
                              {.ulysses = 2, .ring = 2},
                              {.pipe = 2, .ulysses = 2, .ring = 2}};
  std::mt19937 random(7);
  const auto up_to = [&random](int most) { return std::uniform_int_distribution(1, most)(random); };
  while (out.size() < 20) {
    weft::Mesh mesh{.cfg = up_to(2), .pipe = up_to(3), .ulysses = up_to(3), .ring = up_to(3)};
    if (mesh.ranks() > 8) continue;
    mesh.patches = mesh.pipe - 1 + up_to(3);
    out.push_back(mesh);
  }
  std::erase_if(out, [&model](const weft::Mesh& mesh) {
    return check<Every>(mesh, model, {.prompts = mesh.data, .branches = 2, .tokens = 100}, mesh.ranks())
        .has_value();
  });
  return out;
}

/// Holds an evaluation on any mesh to that of one rank.
template <class Element>
void check_evaluations(double bound) {
  const Golden golden("v11_hd88");
  const Models<Element> models(golden.folder / "model/transformer");
  const auto evaluation = golden.evaluation();
  const auto evaluate = [&evaluation](auto& engine) { return engine.forward(evaluation); };
  const weft::Tensor expected = on_one(models, evaluate);
  double most = 0;
  for (const weft::Mesh& mesh : meshes(models.shape())) {
    if (mesh.cfg > 1) continue;
    CAPTURE(described(mesh));
    const double error = relative_l2(on_mesh(models, mesh, evaluate), expected);
    CHECK(error <= bound);
    most = std::max(most, error);
  }
  MESSAGE("relative L2 of at most " << most);
}

}  // namespace

static_assert(weft::Communicator<weft::peer::Communicator>);
static_assert(weft::Push<weft::peer::Communicator>);

TEST_CASE("peer: loops on any mesh equal one rank if every step sees fresh keys") {
  for (const char* name : {"v12", "v11_hd88"}) {
    const Golden golden(name);
    const Models<float> models(golden.folder / "model/transformer");
    for (const char* loop : {"ddpm", "ddpm_rescale"}) {
      if (name == std::string("v11_hd88") && loop == std::string("ddpm_rescale")) continue;
      auto request = golden.request(loop);
      const auto generate = [&request](auto& engine) { return engine.generate(request); };
      const weft::Tensor expected = on_one(models, generate);
      for (weft::Mesh mesh : meshes(models.shape())) {
        if (mesh.patch_count() > 1) mesh.warmup = static_cast<int>(request.sampler.size());
        CAPTURE(described(mesh));
        CHECK(relative_l2(on_mesh(models, mesh, generate), expected) <= 1e-5);
      }
    }
  }
}

TEST_CASE("peer: loops whose steps leave blocks out equal one rank's") {
  const Golden golden("v12");
  const Models<float> models(golden.folder / "model/transformer");
  auto request = golden.request("ddpm");
  const auto steps = static_cast<weft::Index>(request.sampler.size());
  const auto generate = [&request](auto& engine) { return engine.generate(request); };
  const weft::Tensor full = on_one(models, generate);
  for (const weft::Index ends : {0, 1}) {
    request.reuse = weft::skip_cache(2, steps, models.shape());
    request.reuse.ends = ends;
    const weft::Tensor expected = on_one(models, generate);
    CHECK(relative_l2(expected, full) > 1e-4);
    for (weft::Mesh mesh : meshes(models.shape())) {
      if (mesh.patch_count() > 1) mesh.warmup = static_cast<int>(steps);
      CAPTURE(described(mesh));
      CHECK(relative_l2(on_mesh(models, mesh, generate), expected) <= 1e-5);
    }
  }
}

TEST_CASE("peer: with stale keys loops equal the host's, recorded or traced, with the same bits every time") {
  const Golden golden("v12");
  const Models<float> models(golden.folder / "model/transformer");
  auto request = golden.request("ddim");
  const auto generate = [&request](auto& engine) { return engine.generate(request); };
  for (const weft::Mesh& mesh : {weft::Mesh{.pipe = 2, .patches = 4}, weft::Mesh{.pipe = 3, .patches = 5},
                                 weft::Mesh{.cfg = 2, .pipe = 2, .ulysses = 2, .patches = 3}}) {
    CAPTURE(described(mesh));
    const weft::Tensor found = on_mesh(models, mesh, generate);
    CHECK(relative_l2(found, generate_on_host(golden, mesh, request)) <= 1e-5);
    CHECK(on_mesh(models, mesh, generate).data == found.data);
    weft::Trace trace(static_cast<int>(mesh.ranks()));
    CHECK(relative_l2(on_mesh(models, mesh, generate, &trace), found) <= 1e-6);
  }
}

TEST_CASE("peer: staleness costs the trained model as many decibels as on the host") {
  const Shapes shapes;
  const Models<float> models(shapes.folder / "transformer");
  const auto request = staleness_request(shapes);
  check_staleness([&models, &request](const weft::Mesh& mesh) {
    return on_mesh(models, mesh, [&request](auto& engine) { return engine.generate(request); });
  });
}

TEST_CASE("peer: half precision on any mesh equals one rank up to rounding") {
  check_evaluations<__nv_bfloat16>(1e-2);
}

// Where sums of ranks round otherwise, an operand may become the next number of three bits: a ring's rounds
// once a hop. That of one rank is 0.09 from float32.
TEST_CASE("peer: FP8 on any mesh equals one rank up to rounding") { check_evaluations<__nv_fp8_e4m3>(8e-2); }

/// Small enough for compute-sanitizer --tool racecheck --kernel-name kns=weft, which is slow.
TEST_CASE("peer: two steps on four ranks") {
  const Golden golden("v12");
  const Models<float> models(golden.folder / "model/transformer");
  auto request = golden.request("ddpm_rescale");
  request.sampler = weft::make_sampler("ddim", golden.scheduler(), 2);
  request.step_noise = {};
  const auto generate = [&request](auto& engine) { return engine.generate(request); };
  const weft::Tensor expected = on_one(models, generate);
  for (const weft::Mesh& mesh :
       {weft::Mesh{.cfg = 2, .ulysses = 2}, weft::Mesh{.ring = 4}, weft::Mesh{.pipe = 4, .warmup = 2}}) {
    CAPTURE(described(mesh));
    CHECK(relative_l2(on_mesh(models, mesh, generate), expected) <= 1e-5);
  }
}

/// Ranks that share a GPU compute in turn, so there is little computation to hide behind: a stage's output is
/// needed at the next tick, Ring's next keys after one attention.
TEST_CASE("peer: transfers are partly hidden behind computation") {
  const weft::HunyuanConfig config(weft::Config(
      R"({"num_layers": 8, "num_attention_heads": 16, "attention_head_dim": 88, "hidden_size": 1408,
          "mlp_ratio": 4.3637, "patch_size": 2, "in_channels": 4, "learn_sigma": true,
          "cross_attention_dim": 1024, "cross_attention_dim_t5": 2048, "text_len": 77, "text_len_t5": 256,
          "pooled_projection_dim": 1024, "use_style_cond_and_image_meta_size": false})",
      "8 blocks of HunyuanDiT v1.2"));
  const Models<__nv_bfloat16> models(config, weft::RandomWeights{});
  weft::Tensor clip({77, 1024}), t5({256, 2048}), clip_mask({77}), t5_mask({256});
  const weft::Request<Prompt> request{.prompts = {{clip, clip_mask, t5, t5_mask}},
                                      .negatives = {{clip, clip_mask, t5, t5_mask}},
                                      .height = 128,
                                      .width = 128,
                                      .sampler = weft::make_sampler("ddim", Golden("v12").scheduler(), 6)};
  for (const weft::Mesh& mesh :
       {weft::Mesh{.ring = 2}, weft::Mesh{.ring = 4}, weft::Mesh{.pipe = 2, .patches = 4},
        weft::Mesh{.pipe = 4, .patches = 8}, weft::Mesh{.cfg = 2, .pipe = 2, .patches = 4}}) {
    weft::Trace trace(static_cast<int>(mesh.ranks()));
    on_mesh(
        models, mesh, [&request](auto& engine) { return engine.generate(request); }, &trace);
    CAPTURE(described(mesh));
    for (const weft::Exposure& axis : exposures(trace)) {
      MESSAGE(described(mesh) << ": " << to_string(axis));
      if (axis.axis == "ring" || axis.axis == "pipe") CHECK(axis.fraction() < 0.9);
    }
  }
}

TEST_CASE("peer: a rank that fails ends all ranks with its message") {
  const auto failing = [](weft::peer::World& world) {
    weft::cuda::Queue queue(nullptr, world.recorder(), world.rank());
    if (world.rank() == 1) throw std::runtime_error("the roof is on fire");
    static_cast<void>(queue.record([&](weft::Index) { world.pushed(queue, {}); }, 0));
  };
  CHECK_THROWS_WITH(weft::peer::launch(3, failing), "rank 1: the roof is on fire");
}
