// PixArt, SD3 and FLUX against what diffusers computed, and every mesh against one rank.
#include <doctest/doctest.h>

#include "model_golden.hpp"

namespace {

using weft::Mesh, weft::Tensor;

template <class Model>
Tensor evaluated(const ModelGolden<Model>& golden, const Mesh& mesh, const std::string& name) {
  Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    Tensor sample = weft::Engine<Model, Full>(golden.slices.of_rank(mesh, world.rank()), mesh, world)
                        .forward(golden.evaluation(name));
    if (world.rank() == 0) result = std::move(sample);
  });
  return result;
}

template <class Model>
Tensor generated(const ModelGolden<Model>& golden, const Mesh& mesh, const std::string& loop) {
  Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    Tensor states = weft::Engine<Model, Full>(golden.slices.of_rank(mesh, world.rank()), mesh, world)
                        .generate(golden.request(loop));
    if (world.rank() == 0) result = std::move(states);
  });
  return result;
}

/// One evaluation on one rank and on random meshes of at most 8, none of whose keys are stale.
template <class Model>
void check_evaluation(const ModelGolden<Model>& golden, const std::string& name, int trials = 4) {
  CAPTURE(golden.folder.string());
  CAPTURE(name);
  const Tensor expected = golden.sample(name);
  CHECK(relative_l2(evaluated(golden, {}, name), expected) <= 1e-5);
  RandomMeshes meshes;
  const auto evaluation = golden.evaluation(name);
  for (int trial = 0; trial < trials; ++trial) {
    Mesh mesh = meshes.sliced(golden.model.shape(), evaluation.latents.shape[0], 1);
    mesh.cfg = 1;
    CAPTURE(weft::name_of(mesh));
    CHECK(relative_l2(evaluated(golden, mesh, name), expected) <= 1e-5);
  }
}

template <class Model>
void check_loop(const ModelGolden<Model>& golden, const std::string& loop) {
  CAPTURE(golden.folder.string());
  CAPTURE(loop);
  const Tensor expected = golden.file(loop + "_expected").tensor("latents");
  CHECK(relative_l2(generated(golden, {}, loop), expected) <= 1e-4);
  const auto steps = static_cast<int>(golden.request(loop).sampler.size());
  const int branches = golden.request(loop).branches() > 1 ? 2 : 1;
  const Mesh mesh{.cfg = branches, .pipe = 2, .ulysses = 2, .patches = 3, .warmup = steps};
  CHECK(relative_l2(generated(golden, mesh, loop), expected) <= 1e-4);
}

/// A second request with other prompts begins with its steps, and gives the bits of an engine of its own.
template <class Model>
void check_second_request(const char* name, const char* loop, const Mesh& mesh) {
  const ModelGolden<Model> golden(name);
  const auto first = golden.request(loop), second = with_other_prompts(first);
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    const Model& model = golden.slices.of_rank(mesh, world.rank());
    weft::Engine<Model, Full> engine(model, mesh, world), other(model, mesh, world);
    const Tensor before = engine.generate(first);
    const weft::Index recordings = engine.queue().counts().recordings;
    const Tensor states = engine.generate(second);
    CHECK(engine.queue().counts().recordings == recordings);
    CHECK(states.data == other.generate(second).data);
    CHECK((world.rank() > 0 || states.data != before.data));
  });
}

}  // namespace

TEST_CASE("PixArt equals diffusers") {
  const ModelGolden<weft::PixArt<weft::Host>> sigma("pixart_sigma"), alpha("pixart_alpha");
  check_evaluation(sigma, "forward");
  check_evaluation(sigma, "forward_wide");
  check_evaluation(alpha, "forward");
  for (const char* loop : {"dpmpp_mild", "ddim"}) check_loop(sigma, loop);
  check_loop(alpha, "dpmpp");
}

TEST_CASE("SD3 equals diffusers") {
  const ModelGolden<weft::SD3<weft::Host>> sd3("sd3"), medium("sd3_medium");
  check_evaluation(sd3, "forward");
  check_evaluation(sd3, "forward_wide");
  check_evaluation(medium, "forward");
  check_loop(sd3, "loop");
}

TEST_CASE("SD3 has no positions for images beyond its table") {
  const ModelGolden<weft::SD3<weft::Host>> sd3("sd3_medium");
  auto evaluation = sd3.evaluation("forward");
  evaluation.latents = Tensor({2, 8, 26, 16});
  weft::launch(1, [&](weft::threads::World& world) {
    CHECK_THROWS_WITH_AS(
        (weft::Engine<weft::SD3<weft::Host>, Full>(sd3.model, {}, world).forward(evaluation)),
        "the image is 13 × 8 tokens, and the model has positions for 12 along a side; 24 elements "
        "of the latents would do",
        weft::InvalidArgument);
  });
}

TEST_CASE("FLUX equals diffusers") {
  const ModelGolden<weft::Flux<weft::Host>> flux("flux");
  check_evaluation(flux, "forward");
  check_loop(flux, "loop");
}

TEST_CASE("PixArt, SD3 and FLUX begin a second request with its steps") {
  const Mesh mesh{.pipe = 2, .ulysses = 2, .patches = 3, .warmup = 2};
  check_second_request<weft::PixArt<weft::Host>>("pixart_sigma", "ddim", mesh);
  check_second_request<weft::PixArt<weft::Host>>("pixart_alpha", "dpmpp", {.cfg = 2, .ring = 2});
  check_second_request<weft::SD3<weft::Host>>("sd3", "loop", mesh);
  check_second_request<weft::Flux<weft::Host>>("flux", "loop", mesh);
  const Mesh sliced{.ulysses = 2, .tensor = 2};
  check_second_request<weft::SD3<weft::Host>>("sd3", "loop", sliced);
  check_second_request<weft::Flux<weft::Host>>("flux", "loop", sliced);
}

TEST_CASE("PixArt's prompts may have different numbers of tokens, with padding or without") {
  using PixArt = weft::PixArt<weft::Host>;
  const ModelGolden<PixArt> golden("pixart_sigma");
  const auto padded = golden.request("ddim");
  auto bare = padded;
  for (auto* prompts : {&bare.prompts, &bare.negatives}) {
    const weft::Index words = prompts->front().word_count();
    prompts->front().states.shape[0] = prompts->front().mask.shape[0] = words;
    prompts->front().states.data.resize(static_cast<std::size_t>(words * prompts->front().states.shape[1]));
    prompts->front().mask.data.resize(static_cast<std::size_t>(words));
  }
  REQUIRE(bare.prompts.front().states.shape != bare.negatives.front().states.shape);
  weft::launch(1, [&](weft::threads::World& world) {
    weft::Engine<PixArt, weft::Local> engine(golden.model, {}, world);
    const Tensor states = engine.generate(padded);
    CHECK(relative_l2(engine.generate(bare), states) <= 1e-6);
    CHECK(engine.generate(padded).data == states.data);
  });
}

TEST_CASE("Flow matching has diffusers' sigmas and times") {
  const auto check = [](const weft::Sampler& sampler, const weft::SafeTensors& expected) {
    const Tensor times = expected.tensor("timesteps"), sigmas = expected.tensor("sigmas");
    REQUIRE(sampler.size() == times.data.size());
    for (std::size_t i = 0; i < sampler.size(); ++i) {
      CHECK(sampler[i].timestep == doctest::Approx(times.data[i]).epsilon(1e-6));
      CHECK(sampler[i].sigma == doctest::Approx(sigmas.data[i]).epsilon(1e-6));
    }
  };
  const ModelGolden<weft::SD3<weft::Host>> sd3("sd3");
  const ModelGolden<weft::Flux<weft::Host>> flux("flux");
  check(sd3.request("loop").sampler, sd3.file("loop_expected"));
  check(flux.request("loop").sampler, flux.file("loop_expected"));
}
