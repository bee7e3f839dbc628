// FLUX.1: Black Forest Labs, 2024; weights and names are those of diffusers' FluxTransformer2DModel. dev
// embeds the scale of guidance and has no negative branch; schnell has neither.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/model/flux/weights.hpp"
#include "weft/model/joint/conditioning.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/loaded_model.hpp"

namespace weft::inline v0_1 {

template <class BackendType>
class Flux : public LoadedModel<BackendType, FluxConfig, flux::Weights<BackendType>> {
  using Base = LoadedModel<BackendType, FluxConfig, flux::Weights<BackendType>>;

 public:
  using Base::config;
  using typename Base::Backend;
  using typename Base::Element;
  using typename Base::Operand;
  using typename Base::Queue;
  using Prompt = JointPrompt;
  using Conditioning = joint::Conditioning<Backend>;
  using Base::Base;  // from a folder, or of any source

  void check(const Prompt& prompt) const { prompt.check(config()); }
  Index prefix(const Prompt& prompt) const { return prompt.states.shape[0]; }

  /// times (steps, images) from 0 to 1000.
  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                         const Share& share) const {
    Conditioning out = joint::allocated<Backend>(queue, share, times.shape[0], weights().layers,
                                                 config().blocks(), modulation_layers());
    out.rotations = rotations(queue, share);
    refill(queue, prompts, times, out);
    return out;
  }

  /// Overwrites a conditioning with that of other prompts, as long as its own.
  void refill(Queue& queue, std::span<const Prompt> prompts, const Tensor& times, Conditioning& out) const {
    joint::refill<Backend>(queue, weights().layers, modulation_layers(), prompts, times, out);
  }

  /// Returns what `condition` and `refill` have computed of this rank's slice alone.
  std::vector<View<float, 2>> sliced_constants(const Conditioning& conditioning) const {
    return joint::sliced_constants<Backend>(modulation_layers(), conditioning);
  }

  /// Returns the embeddings of times, without the prompts' part: (times, width).
  Tensor embed_times(Queue& queue, std::span<const float> times) const {
    return embedded_sinusoids<Backend>(queue, weights().layers.time, times);
  }

  /// latents (image tokens, images, features) → tokens (tokens, images, width), of which the first are the
  /// text's.
  void embed(auto& context, const Conditioning& conditioning, View<const Element, 3> latents,
             View<Element, 3> tokens) const {
    const Range text = context.prefix_rows();
    conditioning.put_text(context.queue(), text, tokens);
    if (!latents.empty())
      linear(context.queue(), rows_of(latents), weights().layers.image_in,
             rows_of(tokens.template slice<0>({text.size(), tokens.extent[0]})));
  }

  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3>, View<Element, 3> out) const {
    const Rotation rotation = conditioning.rotations.rows(context.rows());
    if (i >= config().double_blocks) return single_block(i, context, conditioning, rotation, x, out);
    joint::BlockRun(context, weights().double_blocks[static_cast<std::size_t>(i)], config().head_dim,
                    conditioning.modulations, {2 * i, 2 * i + 1}, rotation, x, out)();
  }

  /// tokens (image tokens, images, width) → prediction (image tokens, images, features).
  void unembed(auto& context, const Conditioning& conditioning, View<const Element, 3> tokens,
               View<float, 3> prediction) const {
    if (tokens.empty()) return;
    const View<Element, 3> normed = context.scratch().take(tokens.extent);
    norm(context.queue(), tokens, {},
         conditioning.modulations.modulation(2 * config().blocks(), 1, 0, context.step()), normed);
    linear(context.queue(), rows_of(normed), weights().layers.proj_out, rows_of(prediction));
  }

 private:
  using Base::weights;

  auto modulation_layers() const {
    return [this](Index i) -> joint::ModulationLayers<Backend> {
      if (i >= config().double_blocks) return {&single(i).modulation, nullptr};
      const joint::Block<Backend>& block = weights().double_blocks[static_cast<std::size_t>(i)];
      return {&block.image.modulation, &block.text.modulation};
    };
  }

  const flux::SingleBlock<Backend>& single(Index i) const {
    return weights().single_blocks[static_cast<std::size_t>(i - config().double_blocks)];
  }

  void single_block(Index i, auto& context, const Conditioning& conditioning, const Rotation& rotation,
                    const View<const Element, 3>& x, const View<Element, 3>& out) const {
    const flux::SingleBlock<Backend>& w = single(i);
    auto& queue = context.queue();
    const Index n = x.extent[0], b = x.extent[1];
    const Index a = w.qkv.outputs() / 3, hidden = w.up.outputs();  // features of heads, and hidden ones, here
    const View<Element, 3> narrow_memory = context.scratch().take(x.extent);       // (n, b, c)
    const View<Element, 3> qkv = context.scratch().take(std::array{n, b, 3 * a});  // (n, b, 3a)
    const View<Element, 3> wide = context.scratch().take(std::array{n, b, a + hidden});
    const View<Operand, 3> normed = as_operands<Operand>(narrow_memory);
    const View<Operand, 3> joined = as_operands<Operand>(wide);  // (n, b, attended | hidden)
    const auto heads = [this, &qkv, a](Index part) {
      return qkv.template slice<2>({part * a, (part + 1) * a}).unfold(config().head_dim);
    };
    const View<Operand, 3> attended = joined.template slice<2>({0, a});
    norm(queue, x, {}, conditioning.modulations.modulation(2 * i, 0, 1, context.step()), normed);
    context.attend({.q = heads(0),
                    .k = heads(1),
                    .v = heads(2),
                    .q_norm = &w.q_norm,
                    .k_norm = &w.k_norm,
                    .rotation = rotation,
                    .prefix = context.prefix_rows().size(),
                    .prefix_q_norm = &w.q_norm,
                    .prefix_k_norm = &w.k_norm,
                    .projection = {rows_of(normed), w.qkv, rows_of(qkv)}},
                   attended.unfold(config().head_dim));
    // After attention, which may take more of the rows until it has ended.
    linear(queue, rows_of(normed), w.up, rows_of(joined.template slice<2>({a, a + hidden})),
           {.activation = Activation::gelu_tanh});
    linear(queue, rows_of(joined), w.out, rows_of(out),
           {.residual = rows_of(context.once(x)),
            .gate = conditioning.modulations.gate(2 * i, 2, context.step())});
    context.reduce(out);
  }

  /// Returns the rotations: none of text, and of an image's token by its row and its column.
  RotationTable<Backend> rotations(Queue& queue, const Share& share) const {
    const std::vector<Index>& sizes = config().axes;
    const Index columns = share.image.columns(), prefix = share.prefix;
    return {queue, share, config().head_dim, [&sizes, columns, prefix](Index token, Index pair) {
              if (token < prefix) return 0.0;
              const std::array<Index, 3> at{0, (token - prefix) / columns, (token - prefix) % columns};
              std::size_t axis = 0;
              while (pair >= sizes[axis] / 2) pair -= sizes[axis++] / 2;
              const double frequency =
                  std::pow(10000.0, -static_cast<double>(2 * pair) / static_cast<double>(sizes[axis]));
              return static_cast<double>(at[axis]) * frequency;
            }};
  }
};

}  // namespace weft::inline v0_1
