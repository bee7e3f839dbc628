// A mesh gives the same bits with random delays on its streams as without any. tests/mutations removes waits
// from the library and checks that this test fails.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

#include "jitter.cuh"
#include "on_devices.cuh"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/model/weight_source.hpp"
#include "weft/weft.hpp"

namespace {

using Model = weft::HunyuanDiT<weft::Cuda<float, 16>>;
using Parallel = weft::CfgParallel<weft::PipeFusion<weft::Ulysses<weft::Ring<>>>>;
using Request = weft::Request<weft::HunyuanPrompt>;
using weft::Index;
using weft::Tensor;

enum class Loop { recorded, eager };

/// A model of four blocks with three heads, so that there are skips, folds and uneven splits.
weft::HunyuanConfig config() {
  return weft::HunyuanConfig(weft::Config(
      R"({"num_layers": 4, "num_attention_heads": 3, "attention_head_dim": 16, "hidden_size": 48, "mlp_ratio": 4.0,
          "patch_size": 2, "in_channels": 4, "learn_sigma": true, "cross_attention_dim": 32,
          "cross_attention_dim_t5": 32, "text_len": 5, "text_len_t5": 7, "pooled_projection_dim": 32,
          "use_style_cond_and_image_meta_size": false})",
      "a small HunyuanDiT"));
}

Tensor random_tensor(weft::Shape shape, std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  Tensor out(std::move(shape));
  for (float& number : out.data) number = normal(bits);
  return out;
}

weft::HunyuanPrompt prompt(std::uint32_t seed) {
  Tensor clip_mask({5}), t5_mask({7});
  clip_mask.data.assign(5, 1);
  t5_mask.data.assign(7, 1);
  return {random_tensor({5, 32}, seed), clip_mask, random_tensor({7, 32}, seed + 1), t5_mask};
}

/// Requests of the same shape, so that stale data of one are wrong for the next.
Request request(std::uint64_t number) {
  const weft::Config scheduler(
      R"({"prediction_type": "v_prediction", "beta_schedule": "scaled_linear", "clip_sample": false})",
      "a scheduler");
  const auto seed = static_cast<std::uint32_t>(10 * number);
  return {.prompts = {prompt(seed + 1)},
          .negatives = {prompt(seed + 3)},
          .height = 14,
          .width = 22,
          .sampler = weft::make_sampler("ddpm", scheduler, 3),
          .guidance_rescale = 0.5f,
          .seed = number};
}

int seeds() {
  const char* const text = std::getenv("WEFT_SEEDS");
  return text ? std::atoi(text) : 20;
}

/// Generates both requests without jitter, then alternately under jitter, by a used engine and by new ones.
/// Returns the result of the first request.
Tensor jittered(const weft::Mesh& mesh, Loop loop) {
  static const OnDevices<Model> models(config(), weft::RandomWeights{});
  const Request requests[] = {request(1), request(2)};
  Tensor out;
  weft::Trace trace(static_cast<int>(mesh.ranks()));
  const auto on_rank = [&](weft::peer::World& world) {
    using Engine = weft::Engine<Model, Parallel, weft::peer::World>;
    Tensor expected[2];
    Jitter jitter;
    const auto need = [&](const Tensor& found, int seed, const char* engine) {
      if (world.rank() == 0 && found.data != expected[seed % 2].data)
        throw std::runtime_error(weft::sentence("the bits differ under jitter ", seed, " on ", engine));
    };
    {
      Engine engine(models.on(world.device()), mesh, world);
      for (int i = 0; i < 2; ++i) expected[i] = engine.generate(requests[i]);
      for (int seed = 1; seed <= seeds(); ++seed) {
        jitter.start(static_cast<std::uint64_t>(seed), world.rank());
        need(engine.generate(requests[seed % 2]), seed, "a used engine");
      }
    }
    for (int seed = 1; seed <= 2; ++seed) {
      jitter.start(static_cast<std::uint64_t>(seed), world.rank());
      Engine engine(models.on(world.device()), mesh, world);
      need(engine.generate(requests[seed % 2]), seed, "a new engine");
    }
    if (world.rank() == 0) out = expected[0];
  };
  CHECK_NOTHROW(weft::peer::launch(mesh.ranks(), on_rank, {.trace = loop == Loop::eager ? &trace : nullptr}));
  return out;
}

double relative_l2(const Tensor& found, const Tensor& right) {
  REQUIRE(found.shape == right.shape);
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < right.data.size(); ++i) {
    difference += std::pow(static_cast<double>(found.data[i]) - right.data[i], 2);
    norm += std::pow(static_cast<double>(right.data[i]), 2);
  }
  return std::sqrt(difference / norm);
}

/// Compares both loops too, up to rounding, in case a missing wait does the same harm every time.
void check_jitter(const weft::Mesh& mesh) {
  const Tensor recorded = jittered(mesh, Loop::recorded), eager = jittered(mesh, Loop::eager);
  REQUIRE(!recorded.empty());
  CHECK_MESSAGE(relative_l2(recorded, eager) <= 1e-5, "the bits differ between the loops");
}

}  // namespace

TEST_CASE("jitter: ulysses") { check_jitter({.ulysses = 3}); }
TEST_CASE("jitter: ring that rotates") { check_jitter({.ring = 4}); }
TEST_CASE("jitter: ring that copies") { check_jitter({.pipe = 2, .ring = 2, .patches = 3}); }
TEST_CASE("jitter: pipe") { check_jitter({.pipe = 2, .patches = 3}); }
TEST_CASE("jitter: cfg") { check_jitter({.cfg = 2}); }
TEST_CASE("jitter: cfg of ulysses") { check_jitter({.cfg = 2, .ulysses = 2}); }
TEST_CASE("jitter: ulysses of ring") { check_jitter({.ulysses = 2, .ring = 2}); }
TEST_CASE("jitter: pipe of ulysses") { check_jitter({.pipe = 2, .ulysses = 2, .patches = 4, .warmup = 2}); }
