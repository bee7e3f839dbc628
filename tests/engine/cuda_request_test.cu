// Successive requests on one engine, on one CUDA device and on ranks that are threads: each gives the same
// bits as on an engine of its own, and one of the same shape as the last starts at once.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "requests.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/model/weight_source.hpp"

namespace {

using Request = weft::Request<Prompt>;
using OnDevice = weft::HunyuanDiT<weft::Cuda<__nv_bfloat16, 16, 88>>;
using Alone = weft::Solo<weft::cuda::Queue>;

/// The model on every device that so many ranks use.
template <class... Source>
std::deque<OnDevice> on_devices(weft::Index ranks, const Source&... source) {
  std::deque<OnDevice> models;
  const int devices = std::min(weft::peer::device_count(), static_cast<int>(ranks));
  for (int device = devices; device-- > 0;) {
    weft::kernels::check(cudaSetDevice(device), "choosing the device");
    models.emplace_front(source...);
  }
  return models;
}

/// Calls body(engine, rank) on every rank of the mesh.
template <class Body>
void on_mesh(const std::deque<OnDevice>& models, const weft::Mesh& mesh, const Body& body) {
  if (mesh.ranks() == 1) {
    Alone world;
    weft::Engine<OnDevice, weft::Local, Alone> engine(models.front(), mesh, world);
    return body(engine, 0);
  }
  weft::peer::launch(mesh.ranks(), [&](weft::peer::World& world) {
    weft::Engine<OnDevice, Full, weft::peer::World> engine(models[static_cast<std::size_t>(world.device())],
                                                           mesh, world);
    body(engine, world.rank());
  });
}

/// Returns what rank 0 generates for each.
std::vector<weft::Tensor> generate_all(const std::deque<OnDevice>& models, const weft::Mesh& mesh,
                                       const std::vector<Request>& requests) {
  std::vector<weft::Tensor> results;
  on_mesh(models, mesh, [&](auto& engine, int rank) {
    for (const Request& request : requests) {
      weft::Tensor images = engine.generate(request);
      if (rank == 0) results.push_back(std::move(images));
    }
  });
  return results;
}

void compare(const std::deque<OnDevice>& models, const weft::Mesh& mesh,
             const std::vector<Request>& requests) {
  CAPTURE(name_of(mesh));
  const std::vector<weft::Tensor> found = generate_all(models, mesh, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CAPTURE(i);
    CHECK(found[i].data == generate_all(models, mesh, {requests[i]}).front().data);
  }
}

std::deque<OnDevice> of_golden(const Golden& golden, weft::Index ranks) {
  return on_devices(ranks, golden.folder / "model/transformer");
}

/// Returns the configuration of HunyuanDiT v1.2.
weft::HunyuanConfig v12_config() {
  return weft::HunyuanConfig(weft::Config(
      R"({"num_layers": 40, "num_attention_heads": 16, "attention_head_dim": 88, "hidden_size": 1408,
          "mlp_ratio": 4.3637, "patch_size": 2, "in_channels": 4, "learn_sigma": true,
          "cross_attention_dim": 1024, "cross_attention_dim_t5": 2048, "text_len": 77, "text_len_t5": 256,
          "pooled_projection_dim": 1024, "use_style_cond_and_image_meta_size": false})",
      "HunyuanDiT v1.2"));
}

}  // namespace

TEST_CASE("request: gives the same bits after any earlier request") {
  const Golden golden("v12");
  const auto models = of_golden(golden, 4);
  for (const weft::Mesh& mesh :
       {weft::Mesh{}, {.cfg = 2}, {.ulysses = 2, .ring = 2}, {.pipe = 2, .patches = 3}})
    compare(models, mesh, various_requests(golden, mesh));
}

TEST_CASE("request: prompts may be shared unevenly, and one rank's share change alone") {
  const Golden golden("v12");
  std::vector<Request> requests;
  for (const weft::Index count : {3, 4, 3, 3, 5}) requests.push_back(several_prompts(golden, count));
  const auto models = of_golden(golden, 4);
  compare(models, {.data = 2}, requests);
  compare(models, {.data = 2, .ulysses = 2}, requests);
}

TEST_CASE("request: the second of a shape records nothing and allocates nothing") {
  const Golden golden("v12");
  const auto models = of_golden(golden, 4);
  for (const weft::Mesh& mesh : {weft::Mesh{}, {.cfg = 2, .ulysses = 2}, {.pipe = 2, .patches = 3}}) {
    CAPTURE(name_of(mesh));
    on_mesh(models, mesh, [&golden](auto& engine, int) {
      auto request = golden.request("ddpm_rescale");
      request.step_noise = {};
      const auto counted = [&] {
        const weft::QueueCounts before = engine.queue().counts();
        engine.generate(request);
        return engine.queue().counts() - before;
      };
      CHECK(counted().recordings > 0);
      request.seed = 7;
      request.guidance = 3;
      request.guidance_rescale = 0.2f;
      std::swap(request.prompts, request.negatives);
      const weft::QueueCounts second = counted();
      CHECK(second.recordings == 0);
      CHECK(second.allocations == 0);
      request.guidance_rescale = 0;
      CHECK(counted().recordings > 0);
    });
  }
}

TEST_CASE("request: gives the same bits after one that failed or was rejected") {
  const Golden golden("v12");
  const auto models = of_golden(golden, 1);
  on_mesh(models, {}, [&golden](auto& engine, int) {
    const auto request = golden.request("ddpm");
    const weft::Tensor expected = engine.generate(request);
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_WITH(engine.generate(failing_request(request)), "enough");
      CHECK(engine.generate(request).data == expected.data);
      CHECK(std::isnan(engine.generate(spoilt_request(request)).data.front()));
      CHECK(engine.generate(request).data == expected.data);
    }
  });
}

TEST_CASE("request: one that runs out of memory leaves all of it to the next") {
  const Golden golden("v12");
  const auto models = of_golden(golden, 1);
  on_mesh(models, {}, [&golden](auto& engine, int) {
    const auto request = golden.request("ddim");
    const weft::Tensor expected = engine.generate(request);
    std::size_t free = 0, total = 0;
    weft::kernels::check(cudaMemGetInfo(&free, &total), "asking for free memory");
    const weft::cuda::DeviceMemory taken(free -
                                         (std::size_t{1} << 30));  // so that a large request is no larger
    auto large = request;
    large.noise = large.step_noise = {};
    large.height = large.width = 1 << 12;
    CHECK_THROWS_WITH(engine.generate(large), doctest::Contains("out of memory"));
    CHECK(engine.generate(request).data == expected.data);
  });
}

TEST_CASE("request: the second of a shape takes at most 20 ms beyond its steps") {
  constexpr int repetitions = 5;
  const weft::HunyuanConfig config = v12_config();
  const weft::Tensor clip({77, 1024}), t5({256, 2048}), clip_mask({77}), t5_mask({256});
  const auto models = on_devices(2, config, weft::RandomWeights{});
  for (const weft::Index px : {1024, 2048})
    for (const weft::Mesh& mesh : {weft::Mesh{}, {.cfg = 2}, {.ulysses = 2}}) {
      CAPTURE(name_of(mesh));
      Request request{.prompts = {{clip, clip_mask, t5, t5_mask}},
                      .negatives = {{clip, clip_mask, t5, t5_mask}},
                      .height = px / 8,
                      .width = px / 8,
                      .sampler = weft::make_sampler("ddpm", Golden("v12").scheduler(), 4)};
      on_mesh(models, mesh, [&request, &mesh, px](auto& engine, int rank) {
        Request own = request;
        engine.generate(own);
        const double first = seconds_beyond_steps(engine);
        std::vector<double> beyond;
        for (int i = 0; i < repetitions; ++i) {
          ++own.seed;
          engine.generate(own);
          beyond.push_back(seconds_beyond_steps(engine));
        }
        if (rank != 0) return;
        std::ranges::sort(beyond);
        MESSAGE(px << " px, " << name_of(mesh) << ": beyond the steps the first request takes " << 1e3 * first
                   << " ms, later ones " << 1e3 * beyond.front() << " to " << 1e3 * beyond.back());
        CHECK(beyond[repetitions / 2] <= 0.020);
      });
    }
}
