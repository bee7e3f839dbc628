// Results on any mesh against those of one rank.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "cases.hpp"
#include "worlds.hpp"

TEST_CASE("Any mesh with full warm-up equals one rank, also without divisibility") {
  RandomMeshes meshes;
  for (const char* name : {"v12", "v11_hd88"}) {
    const HostGolden golden(name);
    for (int i = 0; i < 12; ++i) {
      const weft::Index height = 2 * meshes.draw(1, 9), width = 2 * meshes.draw(1, 9);
      const auto request = two_images(golden, i, height, width);
      const weft::Tensor serial = generate(golden.model, {}, request);

      weft::Mesh mesh = meshes.sliced(golden.model.shape(), 2, 2);
      const auto tokens = static_cast<int>(request.height * request.width / 4);
      if (mesh.patches > tokens) mesh.patches = mesh.pipe = mesh.warmup = 1;
      CAPTURE(name_of(mesh));
      CAPTURE(request.height);
      CAPTURE(request.width);
      CHECK(relative_l2(generate(golden, mesh, request), serial) <= 1e-5);
    }
  }
}

TEST_CASE("Any mesh evaluates as one rank does") {
  RandomMeshes meshes;
  const HostGolden golden("v12");
  const auto evaluation = golden.evaluation();
  const weft::Tensor serial = forward(golden.model, {}, evaluation);
  for (int i = 0; i < 12; ++i) {
    weft::Mesh mesh = meshes(golden.model.shape(), 2, 1);
    if (mesh.data > 1) mesh.cfg = 1;
    CAPTURE(name_of(mesh));
    CHECK(relative_l2(forward(golden.model, mesh, evaluation), serial) <= 1e-5);
  }
}

TEST_CASE("If steps change nothing, the state is the noise, bit for bit on every mesh") {
  RandomMeshes meshes;
  const HostGolden golden("v12");
  const auto request = noise_alone(golden);
  const weft::Tensor serial = generate(golden.model, {}, request);
  for (weft::Index i = 0; i < serial.size(); ++i) {
    const auto element = static_cast<std::uint64_t>(i);
    REQUIRE(serial.data[element] == weft::normal(0, 0, element) + weft::normal(0, 2, element));
  }
  for (int i = 0; i < 8; ++i) {
    const weft::Mesh mesh = meshes.sliced(golden.model.shape(), 1, 2);
    CAPTURE(name_of(mesh));
    CHECK(generate(golden, mesh, request).data == serial.data);
  }
}

TEST_CASE("Thresholds are those of whole images, bit for bit on every mesh") {
  RandomMeshes meshes;
  const HostGolden golden("v12");
  auto request = thresholds_alone(golden);
  const weft::Tensor serial = generate(golden.model, {}, request);
  for (const std::size_t image : {0, 1}) {
    const std::size_t size = serial.data.size() / 2;
    std::vector<float> state(size);
    for (std::size_t i = 0; i < size; ++i) state[i] = weft::normal(0, 0, image * size + i);
    for (const weft::SamplerStep& step : request.sampler) {
      std::vector<float> magnitudes;
      for (float& x : state) magnitudes.push_back(std::abs(x = step.alpha * x));
      std::ranges::sort(magnitudes);
      const float place = step.quantile * static_cast<float>(size - 1);
      const auto below = static_cast<std::size_t>(place);
      const float threshold = std::max(
          1.0f, std::lerp(magnitudes[below], magnitudes[below + 1], place - static_cast<float>(below)));
      for (float& x : state)
        x = std::clamp(x, -threshold, threshold) / (step.normalizes != 0 ? threshold : 1);
    }
    double worst = 0;
    for (std::size_t i = 0; i < size; ++i)
      worst = std::max(worst, std::abs(static_cast<double>(serial.data[image * size + i] - state[i])));
    CHECK(worst < 1e-5);
  }
  for (int i = 0; i < 8; ++i) {
    const weft::Mesh mesh = meshes.sliced(golden.model.shape(), 2, 2);
    CAPTURE(name_of(mesh));
    CHECK(generate(golden, mesh, request).data == serial.data);
  }

  // A patch in flight uses the newest values of the others.
  request.sampler.insert(request.sampler.end(), 3, request.sampler.front());
  const weft::Tensor whole = generate(golden.model, {}, request);
  const weft::Tensor stale =
      generate(golden.model, {.pipe = 2, .ulysses = 2, .patches = 3, .warmup = 2}, request);
  CHECK(stale.data != whole.data);
  CHECK(relative_l2(stale, whole) < 0.5);
}

TEST_CASE("A scheduler that thresholds gives the same images on any mesh as on one rank") {
  const HostGolden golden("v12");
  auto request = golden.request("ddim");
  weft::Config scheduler = golden.scheduler();
  const weft::Config thresholds(
      R"({"thresholding": true, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 10})", "t.json");
  for (const char* key : {"thresholding", "dynamic_thresholding_ratio", "sample_max_value"})
    scheduler.take(key, thresholds);
  request.sampler = weft::make_sampler("dpmpp", scheduler, 8);
  const weft::Tensor serial = generate(golden.model, {}, request);
  for (const weft::Mesh& mesh :
       {weft::Mesh{.cfg = 2, .ulysses = 2, .ring = 2}, {.pipe = 2, .ring = 3, .patches = 4, .warmup = 8}})
    CHECK(relative_l2(generate(golden.model, mesh, request), serial) <= 1e-5);
  for (weft::SamplerStep& step : request.sampler) step.quantile = -1;
  CHECK(relative_l2(generate(golden.model, {}, request), serial) > 1e-2);
}

TEST_CASE("A layout gives the same bits in every run, and its ring caches the same image") {
  const HostGolden golden("v12");
  const auto request = golden.request("ddpm");
  weft::Mesh mesh{.cfg = 2, .pipe = 2, .ring = 2, .patches = 3, .warmup = 2};
  const weft::Tensor copied = generate(golden.model, mesh, request);
  CHECK(generate(golden.model, mesh, request).data == copied.data);
  mesh.ring_cache = weft::RingCache::rotate;
  CHECK(relative_l2(generate(golden.model, mesh, request), copied) <= 1e-5);
}

TEST_CASE("PipeFusion's images depend on the number of patches, not of stages") {
  const HostGolden golden("v12");
  const auto request = golden.request("ddpm_rescale");
  const weft::Tensor one = generate(golden.model, {.pipe = 1, .patches = 5, .warmup = 2}, request);
  for (int pipe : {2, 3, 4}) {
    CAPTURE(pipe);
    CHECK(relative_l2(generate(golden.model, {.pipe = pipe, .patches = 5, .warmup = 2}, request), one) <=
          1e-5);
  }
  CHECK(relative_l2(
            generate(golden.model, {.pipe = 2, .ulysses = 2, .ring = 2, .patches = 5, .warmup = 2}, request),
            one) <= 1e-5);
}

TEST_CASE("A stack of the policies in use is enough") {
  using namespace weft;
  const HostGolden golden("v12");
  const auto request = golden.request("ddim");
  const Tensor serial = generate<Local>(golden.model, {}, request);
  const auto check = [&]<class Parallel>(const Mesh& mesh) {
    CHECK(relative_l2(generate<Parallel>(golden.model, mesh, request), serial) <= 1e-5);
  };
  check.template operator()<CfgParallel<Ring<>>>({.cfg = 2, .ring = 3});
  check.template operator()<PipeFusion<Ulysses<>>>({.pipe = 2, .ulysses = 3, .warmup = 8});
  CHECK_THROWS_WITH_AS(generate<Ring<>>(golden.model, {.ulysses = 2}, request),
                       doctest::Contains("need a policy for ulysses, which this stack"), InvalidArgument);
}
