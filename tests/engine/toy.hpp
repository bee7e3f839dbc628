// A Diffusion Transformer of a few numbers, which can be made to differ and to fail.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>

#include "weft/weft.hpp"

struct Toy {
  static constexpr weft::Index width = 16, head = 8;
  using Backend = weft::Host;
  using Queue = Backend::Queue;
  using Prompt = int;
  using Conditioning = weft::Tensor;  // (steps, images, width): what every block's norm adds
  using Linear = weft::Linear<weft::Host>;

  weft::DitShape numbers{.blocks = 6,
                         .width = width,
                         .heads = 2,
                         .head_dim = head,
                         .patch = 2,
                         .channels = 1,
                         .out_channels = 1};
  std::uint64_t weights = 0;             // identifies the weights
  std::function<void(weft::Index)> ran;  // called with every block that runs; may throw
  std::function<void()> takes_memory;    // called before scratch is allocated; may throw
  Linear in = layer(1, width, 4), qkv = layer(2, 3 * width, width), join = layer(3, width, width),
         out = layer(4, 4, width);

  static Linear layer(std::uint64_t number, weft::Index outputs, weft::Index inputs) {
    Queue queue;
    weft::Tensor weight({outputs, inputs});
    for (weft::Index i = 0; i < weight.size(); ++i)
      weight.data[static_cast<std::size_t>(i)] = weft::normal(number, 0, static_cast<std::uint64_t>(i)) / 4;
    return {queue, weight, weft::Tensor({outputs})};
  }

  weft::DitShape shape() const { return numbers; }
  std::uint64_t digest() const { return weights; }
  void check(Prompt prompt) const {
    if (prompt < 0) weft::reject("a prompt is ", prompt, " and must be from 0");
  }
  weft::Tensor condition(Queue&, std::span<const int> prompts, const weft::Tensor& times,
                         const weft::Share&) const {
    weft::Tensor shifts({times.shape[0], times.shape[1], width});
    const auto count = static_cast<std::size_t>(times.shape[1]);
    for (std::size_t i = 0; i < shifts.data.size(); ++i)
      shifts.data[i] = std::sin((times.data[i / width] + static_cast<float>(prompts[i / width % count])) *
                                static_cast<float>(i % width + 1));
    return shifts;
  }

  void embed(auto& context, const weft::Tensor&, weft::View<const float, 3> latents,
             weft::View<float, 3> x) const {
    linear(context.queue(), rows_of(latents), in, rows_of(x));
  }
  void block(weft::Index i, auto& context, const weft::Tensor& shifts, weft::View<const float, 3> x,
             weft::View<const float, 3> skip, weft::View<float, 3> y) const {
    constexpr bool runs = std::is_same_v<decltype(context.queue()), Queue&>;
    if (runs && ran) ran(i);
    if (!runs && takes_memory) takes_memory();
    const weft::View<float, 3> narrow = context.scratch().take(x.extent);
    const weft::View<float, 3> wide = context.scratch().take(std::array{x.extent[0], x.extent[1], 3 * width});
    const auto part = [&wide](weft::Index n) {
      return wide.slice<2>({n * width, (n + 1) * width}).unfold(head);
    };
    norm(context.queue(), x, {}, {.shift = shifts.view<3>(), .step = context.step()}, narrow);
    context.attend(
        {.q = part(0), .k = part(1), .v = part(2), .projection = {rows_of(narrow), qkv, rows_of(wide)}},
        narrow.unfold(head));
    linear(context.queue(), rows_of(narrow), join, rows_of(y),
           {weft::Activation::none, rows_of(skip.empty() ? x : skip)});
  }
  void unembed(auto& context, const weft::Tensor&, weft::View<const float, 3> x,
               weft::View<float, 3> prediction) const {
    linear(context.queue(), rows_of(x), out, rows_of(prediction));
  }
};

using Full = weft::DataParallel<
    weft::CfgParallel<weft::StepCache<weft::PipeFusion<weft::TensorParallel<weft::Ulysses<weft::Ring<>>>>>>>;

/// Returns the images that rank 0 gets from an engine of its own.
inline weft::Tensor toy_result(const Toy& model, const weft::Mesh& mesh, const weft::Request<int>& request) {
  weft::Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Tensor images = weft::Engine<Toy, Full>(model, mesh, world).generate(request);
    if (world.rank() == 0) result = std::move(images);
  });
  return result;
}

inline double largest_difference(const weft::Tensor& a, const weft::Tensor& b) {
  if (a.shape != b.shape) return INFINITY;
  double out = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i)
    out = std::max(out, std::abs(static_cast<double>(a.data[i]) - b.data[i]));
  return out;
}

inline weft::Sampler toy_sampler(int steps) {
  const weft::Config scheduler(
      R"({"prediction_type": "v_prediction", "beta_schedule": "scaled_linear", "clip_sample": false})", "");
  return weft::make_sampler("ddpm", scheduler, steps);
}

inline weft::Request<int> toy_request(int steps = 2) {
  return {.prompts = {3}, .negatives = {4}, .height = 8, .width = 12, .sampler = toy_sampler(steps)};
}
