// PixArt, SD3 and FLUX on one CUDA device against diffusers; and in FP8, which the widths of PixArt's goldens
// are not multiples for, PixArt with random weights against the Host backend, which equals diffusers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "host_reference.hpp"
#include "model_golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"
#include "weft/core/noise.hpp"
#include "weft/model/weight_source.hpp"

namespace {

using World = weft::Solo<weft::cuda::Queue>;

/// Returns one evaluation, which has the same bits when it is repeated.
template <class Model, class Evaluation>
weft::Tensor evaluated(const Model& model, const Evaluation& evaluation) {
  World world;
  weft::Engine<Model, weft::Local, World> engine(model, {}, world);
  const weft::Tensor sample = engine.forward(evaluation);
  CHECK(engine.forward(evaluation).data == sample.data);
  return sample;
}

template <class Model, class Request>
weft::Tensor generated(const Model& model, const Request& request) {
  World world;
  return weft::Engine<Model, weft::Local, World>(model, {}, world).generate(request);
}

/// A second request with other prompts records and allocates nothing, and gives the bits of an engine of its
/// own.
template <class Model>
void check_second_request(const char* name, const char* loop) {
  CAPTURE(name);
  const ModelGolden<Model> golden(name);
  const auto first = golden.request(loop), second = with_other_prompts(first);
  World world;
  weft::Engine<Model, weft::Local, World> engine(golden.model, {}, world);
  engine.generate(first);
  const weft::QueueCounts before = engine.queue().counts();
  const weft::Tensor states = engine.generate(second);
  const weft::QueueCounts taken = engine.queue().counts() - before;
  CHECK(taken.recordings == 0);
  CHECK(taken.allocations == 0);
  CHECK(states.data == generated(golden.model, second).data);
}

template <class Model>
double forward_error(const char* name, const std::string& file) {
  const ModelGolden<Model> golden(name);
  return relative_l2(evaluated(golden.model, golden.evaluation(file)), golden.sample(file));
}

template <class Model>
double loop_error(const char* name, const std::string& loop) {
  const ModelGolden<Model> golden(name);
  return relative_l2(generated(golden.model, golden.request(loop)),
                     golden.file(loop + "_expected").tensor("latents"));
}

/// A PixArt of about the goldens' size, and work for it.
struct SmallPixArt {
  weft::PixArtConfig config{
      weft::Config(R"({"num_layers": 3, "num_attention_heads": 6, "attention_head_dim": 16,
          "cross_attention_dim": 96, "caption_channels": 40, "in_channels": 4, "out_channels": 8,
          "patch_size": 2, "sample_size": 16, "interpolation_scale": 2, "attention_bias": true,
          "norm_type": "ada_norm_single", "activation_fn": "gelu-approximate",
          "use_additional_conditions": true})",
                   "a small PixArt")};

  static weft::Tensor random(weft::Shape shape, std::uint64_t seed) {
    weft::Tensor out(std::move(shape));
    for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = weft::normal(seed, 0, i);
    return out;
  }
  /// Returns a prompt of which so many tokens are words.
  weft::PixArtPrompt prompt(weft::Index words, std::uint64_t seed) const {
    constexpr weft::Index tokens = 11;
    weft::PixArtPrompt out{.states = random({tokens, config.text_width}, seed),
                           .mask = weft::Tensor({tokens}),
                           .resolution = weft::Tensor({2}, {128, 96}),
                           .aspect_ratio = weft::Tensor({1}, {4.0f / 3})};
    std::fill_n(out.mask.data.begin(), words, 1.0f);
    return out;
  }
  weft::Evaluation<weft::PixArtPrompt> evaluation() const {
    return {
        {prompt(11, 1), prompt(4, 2)}, random({2, config.channels, 16, 12}, 3), weft::Tensor({2}, {900, 20})};
  }
};

/// Checks one evaluation of SD3 and FLUX in the numbers of `Element` against a bound.
template <class Element>
void check_joint_models(double bound) {
  using Backend = weft::Cuda<Element, 16>;
  CHECK(forward_error<weft::SD3<Backend>>("sd3", "forward") <= bound);
  CHECK(forward_error<weft::SD3<Backend>>("sd3", "forward_wide") <= bound);
  CHECK(forward_error<weft::SD3<Backend>>("sd3_medium", "forward") <= bound);
  CHECK(forward_error<weft::Flux<Backend>>("flux", "forward") <= bound);
}

/// Checks the same of PixArt, whose heads have 18 features.
template <class Backend>
void check_pixart(double bound) {
  using PixArt = weft::PixArt<Backend>;
  CHECK(forward_error<PixArt>("pixart_sigma", "forward") <= bound);
  CHECK(forward_error<PixArt>("pixart_sigma", "forward_wide") <= bound);
  CHECK(forward_error<PixArt>("pixart_alpha", "forward") <= bound);
}

}  // namespace

TEST_CASE("One evaluation of every model equals diffusers") {
  check_joint_models<float>(1e-5);
  check_joint_models<__half>(3e-3);
  check_joint_models<__nv_bfloat16>(3e-2);
  check_pixart<weft::Cuda<float>>(1e-5);
  check_pixart<weft::Cuda<__nv_bfloat16, 24>>(3e-2);
}

// e4m3 rounds an operand by up to 1/16, by 1/35 in the root mean square, and a product of two by 1/25; a
// residual holds the sum of three such layers a block.
TEST_CASE("One evaluation of every model in FP8 is as near as three bits of mantissa let it be") {
  using E4m3 = __nv_fp8_e4m3;
  constexpr double bound = 0.15;
  check_joint_models<E4m3>(bound);
  const SmallPixArt pixart;
  const weft::PixArt<weft::Cuda<E4m3, 16>> model(pixart.config, weft::RandomWeights{});
  CHECK(relative_l2(evaluated(model, pixart.evaluation()),
                    pixart_on_host(pixart.config, pixart.evaluation())) <= bound);
}

TEST_CASE("Loops of every model equal diffusers at their end") {
  using Backend = weft::Cuda<float>;
  CHECK(loop_error<weft::SD3<Backend>>("sd3", "loop") <= 1e-4);
  CHECK(loop_error<weft::Flux<Backend>>("flux", "loop") <= 1e-4);
  for (const char* loop : {"dpmpp_mild", "ddim"})
    CHECK(loop_error<weft::PixArt<Backend>>("pixart_sigma", loop) <= 1e-4);
  CHECK(loop_error<weft::PixArt<Backend>>("pixart_alpha", "dpmpp") <= 1e-4);
}

TEST_CASE("request: the second of every model records nothing and allocates nothing") {
  check_second_request<weft::PixArt<weft::Cuda<float>>>("pixart_sigma", "ddim");
  check_second_request<weft::PixArt<weft::Cuda<float>>>("pixart_alpha", "dpmpp");
  check_second_request<weft::SD3<weft::Cuda<float, 16>>>("sd3", "loop");
  check_second_request<weft::Flux<weft::Cuda<float, 16>>>("flux", "loop");
}
