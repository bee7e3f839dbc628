// A Diffusion Transformer of a few numbers with fewer heads of keys than of queries.
#pragma once

#include <array>
#include <cmath>
#include <span>

#include "toy.hpp"
#include "weft/core/noise.hpp"

struct GroupedToy {
  static constexpr weft::Index width = 48, head = 8, heads = width / head;
  using Backend = weft::Host;
  using Queue = Backend::Queue;
  using Prompt = int;
  using Conditioning = weft::Tensor;  // (steps, images, width): what every block's norm adds
  using Linear = weft::Linear<weft::Host>;

  weft::DitShape numbers{.blocks = 4,
                         .width = width,
                         .heads = heads,
                         .head_dim = head,
                         .patch = 2,
                         .channels = 1,
                         .out_channels = 1};
  Linear in = Toy::layer(31, width, 4), q = Toy::layer(32, width, width), k, v,
         join = Toy::layer(35, width, width), out = Toy::layer(36, 4, width);

  /// Makes a model with `key_heads` · `copies` heads of keys, of which `copies` in a row are alike.
  explicit GroupedToy(weft::Index key_heads, weft::Index copies = 1)
      : k(key_layer(33, key_heads, copies)), v(key_layer(34, key_heads, copies)) {
    numbers.kv_heads = key_heads * copies;
  }

  static Linear key_layer(std::uint64_t number, weft::Index key_heads, weft::Index copies) {
    Queue queue;
    weft::Tensor weight({key_heads * copies * head, width});
    for (weft::Index row = 0; row < weight.shape[0]; ++row)
      for (weft::Index i = 0; i < width; ++i) {
        const weft::Index own = row / head / copies * head + row % head;
        weight.view<2>()[row][i] = weft::normal(number, 0, static_cast<std::uint64_t>(own * width + i)) / 4;
      }
    return {queue, weight, weft::Tensor({weight.shape[0]})};
  }

  weft::DitShape shape() const { return numbers; }
  void check(Prompt) const {}
  Conditioning condition(Queue&, std::span<const Prompt> prompts, const weft::Tensor& times,
                         const weft::Share& share) const {
    weft::Tensor shifts({times.shape[0], share.images, width});
    for (std::size_t i = 0; i < shifts.data.size(); ++i)
      shifts.data[i] =
          std::sin((times.data[i / width] + static_cast<float>(prompts[i / width % prompts.size()])) *
                   static_cast<float>(i % width + 1));
    return shifts;
  }

  void embed(auto& context, const Conditioning&, weft::View<const float, 3> latents,
             weft::View<float, 3> x) const {
    linear(context.queue(), rows_of(latents), in, rows_of(x));
  }
  void block(weft::Index, auto& context, const Conditioning& shifts, weft::View<const float, 3> x,
             weft::View<const float, 3>, weft::View<float, 3> y) const {
    const weft::Index kv_width = numbers.kv_heads * head;
    const weft::View<float, 3> normed = context.scratch().take(x.extent),
                               queries = context.scratch().take(x.extent),
                               attended = context.scratch().take(x.extent);
    const std::array<weft::Index, 3> kv_extents{x.extent[0], x.extent[1], kv_width};
    const weft::View<float, 3> keys = context.scratch().take(kv_extents),
                               values = context.scratch().take(kv_extents);
    norm(context.queue(), x, {}, {.shift = shifts.view<3>(), .step = context.step()}, normed);
    linear(context.queue(), rows_of(normed), q, rows_of(queries));
    linear(context.queue(), rows_of(normed), k, rows_of(keys));
    linear(context.queue(), rows_of(normed), v, rows_of(values));
    const weft::NormWeights plain;
    context.attend({.q = queries.unfold(head),
                    .k = keys.unfold(head),
                    .v = values.unfold(head),
                    .q_norm = &plain,
                    .k_norm = &plain},
                   attended.unfold(head));
    linear(context.queue(), rows_of(attended), join, rows_of(y), {weft::Activation::none, rows_of(x)});
  }
  void unembed(auto& context, const Conditioning&, weft::View<const float, 3> x,
               weft::View<float, 3> prediction) const {
    linear(context.queue(), rows_of(x), out, rows_of(prediction));
  }
};
