// PixArt-α and PixArt-Σ: Chen et al., "PixArt-α: Fast Training of Diffusion Transformer for Photorealistic
// Text-to-Image Synthesis", 2023, and "PixArt-Σ: Weak-to-Strong Training of Diffusion Transformer for 4K
// Text-to-Image Generation", 2024; weights and names are those of diffusers' PixArtTransformer2DModel.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

#include "weft/model/dit.hpp"
#include "weft/model/layers.hpp"
#include "weft/model/loaded_model.hpp"
#include "weft/model/pixart/conditioning.hpp"
#include "weft/model/pixart/prompt.hpp"
#include "weft/model/pixart/weights.hpp"

namespace weft::inline v0_1 {

template <class BackendType>
class PixArt : public LoadedModel<BackendType, PixArtConfig, pixart::Weights<BackendType>> {
  using Base = LoadedModel<BackendType, PixArtConfig, pixart::Weights<BackendType>>;

 public:
  using Base::config;
  using typename Base::Backend;
  using typename Base::Element;
  using typename Base::Operand;
  using typename Base::Queue;
  using Prompt = PixArtPrompt;
  using Conditioning = pixart::Conditioning<Backend>;
  using Base::Base;  // from a folder, or of any source

  void check(const Prompt& prompt) const { prompt.check(config()); }

  /// The number of a prompt's text tokens, with padding.
  Index text_tokens(const Prompt& prompt) const { return prompt.states.shape[0]; }

  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                         const Share& share) const {
    Conditioning out(queue, config(), weights(), share, times.shape[0]);
    out.fill(queue, weights(), prompts, times);
    return out;
  }

  /// Overwrites a conditioning with that of other prompts, of no more text tokens than its share's.
  void refill(Queue& queue, std::span<const Prompt> prompts, const Tensor& times, Conditioning& out) const {
    out.fill(queue, weights(), prompts, times);
  }

  /// Returns the embeddings of times, without the prompts' part: (times, width).
  Tensor embed_times(Queue& queue, std::span<const float> times) const {
    return embedded_sinusoids<Backend>(queue, weights().shared.time, times);
  }

  /// latents (tokens, images, features) → tokens (tokens, images, width).
  void embed(auto& context, const Conditioning& conditioning, View<const Element, 3> latents,
             View<Element, 3> tokens) const {
    linear(context.queue(), rows_of(latents), weights().shared.embed, rows_of(tokens),
           {.residual = rows_of(conditioning.positions(context.rows()))});
  }

  /// x → out, both (tokens, images, width), which may be the same memory.
  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3>, View<Element, 3> out) const {
    const pixart::Block<Backend>& w = weights().blocks[static_cast<std::size_t>(i)];
    const Modulations<Backend>& modulations = conditioning.modulations();
    auto& queue = context.queue();
    const Step step = context.step();
    const Index n = x.extent[0], b = x.extent[1], head_dim = config().head_dim;
    const Index a = w.text_q.outputs(), hidden = w.up.outputs();  // features of heads, and hidden ones, here
    const View<Element, 3> narrow_memory = context.scratch().take(x.extent);  // (n, b, c)
    const View<Operand, 3> normed = as_operands<Operand>(narrow_memory);
    Element* const memory = context.scratch().take(std::array{n * b * std::max(3 * a, hidden)}).data;
    const auto wide = [memory, n, b](Index features) { return View<Element, 3>(memory, {n, b, features}); };
    const View<Operand, 3> attended = normed.template slice<2>({0, a});  // (n, b, a)

    norm(queue, x, {}, modulations.modulation(i, 0, 1, step), normed);
    const View<Element, 3> qkv = wide(3 * a);
    const auto heads = [&qkv, a, head_dim](Index part) {
      return qkv.template slice<2>({part * a, (part + 1) * a}).unfold(head_dim);
    };
    context.attend(
        {.q = heads(0), .k = heads(1), .v = heads(2), .projection = {rows_of(normed), w.qkv, rows_of(qkv)}},
        attended.unfold(head_dim));
    linear(queue, rows_of(attended), w.out, rows_of(out),
           {.residual = rows_of(context.once(x)), .gate = modulations.gate(i, 2, step)});
    context.reduce(out);

    const View<Element, 3> q = wide(a);
    linear(queue, as_read(queue, out, narrow_memory), w.text_q, rows_of(q));
    attention(queue, q.unfold(head_dim), conditioning.text_keys(i), conditioning.text_values(i),
              attended.unfold(head_dim), {}, Output::replace, conditioning.padding());
    linear(queue, rows_of(attended), w.text_out, rows_of(out), {.residual = rows_of(context.once(out))});
    context.reduce(out);

    norm(queue, out, {}, modulations.modulation(i, 3, 4, step), normed);
    const View<Operand, 3> activated = as_operands<Operand>(wide(hidden));
    linear(queue, rows_of(normed), w.up, rows_of(activated), {.activation = Activation::gelu_tanh});
    linear(queue, rows_of(activated), w.down, rows_of(out),
           {.residual = rows_of(context.once(out)), .gate = modulations.gate(i, 5, step)});
    context.reduce(out);
  }

  /// tokens (tokens, images, width) → prediction (tokens, images, features): as many of the features as the
  /// prediction has room for, channel by channel.
  void unembed(auto& context, const Conditioning& conditioning, View<const Element, 3> tokens,
               View<float, 3> prediction) const {
    const View<Element, 3> normed = context.scratch().take(tokens.extent);
    norm(context.queue(), tokens, {},
         conditioning.modulations().modulation(config().blocks, 0, 1, context.step()), normed);
    linear(context.queue(), rows_of(normed), weights().shared.proj_out.slice({0, prediction.extent[2]}),
           rows_of(prediction));
  }

 private:
  using Base::weights;

  /// Returns tokens as linear layers of blocks read them; `memory` is for narrower operands.
  static View<const Operand, 2> as_read(auto& queue, const View<Element, 3>& x,
                                        const View<Element, 3>& memory) {
    if constexpr (std::is_same_v<Operand, Element>) {
      return rows_of(x);
    } else {
      const View<Operand, 2> out = rows_of(as_operands<Operand>(memory));
      narrow(queue, rows_of(x), out);
      return out;
    }
  }
};

}  // namespace weft::inline v0_1
