// HunyuanDiT v1.1 and v1.2: Li et al., "Hunyuan-DiT: A Powerful Multi-Resolution Diffusion Transformer with
// Fine-Grained Chinese Understanding", 2024; weights and names are those of diffusers' HunyuanDiT2DModel.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "weft/model/dit.hpp"
#include "weft/model/hunyuan/conditioning.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/hunyuan/weights.hpp"
#include "weft/model/layers.hpp"
#include "weft/model/loaded_model.hpp"

namespace weft::inline v0_1 {

template <class BackendType>
class HunyuanDiT : public LoadedModel<BackendType, HunyuanConfig, hunyuan::Weights<BackendType>> {
  using Base = LoadedModel<BackendType, HunyuanConfig, hunyuan::Weights<BackendType>>;

 public:
  using Base::config;
  using typename Base::Backend;
  using typename Base::Element;
  using typename Base::Operand;
  using typename Base::Queue;
  using Prompt = HunyuanPrompt;
  using Conditioning = hunyuan::Conditioning<Backend>;
  using Base::Base;  // from a folder, or of any source

  /// Throws InvalidArgument unless the prompt fits the model.
  void check(const Prompt& prompt) const { prompt.check(config()); }

  /// Computes what is constant over a request: prompts as one batch, times (steps, images).
  [[nodiscard]] Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                                       const Share& share) const {
    Conditioning out(queue, config(), weights(), share, times.shape[0]);
    out.fill(queue, weights(), prompts, times);
    return out;
  }

  /// Overwrites a conditioning with the one for these prompts and times.
  void refill(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
              Conditioning& conditioning) const {
    conditioning.fill(queue, weights(), prompts, times);
  }

  /// Returns the embeddings of times, without the prompts' part: (times, width).
  Tensor embed_times(Queue& queue, std::span<const float> times) const {
    return embedded_sinusoids<Backend>(queue, Mlp<Element>{weights().time_1, weights().time_2}, times);
  }

  /// Embeds latents (tokens, images, features) → tokens (tokens, images, width).
  void embed(auto& context, const Conditioning&, View<const Element, 3> latents,
             View<Element, 3> tokens) const {
    linear(context.queue(), rows_of(latents), weights().embed, rows_of(tokens));
  }

  /// Computes block i: x → out, both (tokens, images, width), which may be the same memory. `skip`, of that
  /// shape, is the long skip, or empty.
  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3> skip, View<Element, 3> out) const {
    const hunyuan::Block<Backend>& w = weights().blocks[static_cast<std::size_t>(i)];
    auto& queue = context.queue();
    const Index n = x.extent[0], b = x.extent[1], c = config().width(), head_dim = config().head_dim;
    const Index a = w.text.q.outputs(), hidden = w.up.outputs();  // features of heads, and hidden ones, here
    const View<Element, 3> narrow = context.scratch().take(std::array{n, b, c});  // (n, b, c)
    const View<Operand, 3> normed = as_operands<Operand>(narrow);                 // (n, b, c)
    const View<Operand, 3> attended = normed.template slice<2>({0, a});           // (n, b, a)
    const Index wide = std::max({3 * a, hidden, w.skip.inputs()});
    Element* const memory = context.scratch().take(std::array{n * b * wide}).data;
    const auto wide_rows = [memory, n, b](Index features) {
      return View<Element, 3>(memory, {n, b, features});
    };

    if (!skip.empty()) {
      const View<Operand, 3> joined = as_operands<Operand>(wide_rows(2 * c));  // (n, b, 2c)
      norm_pair(queue, x, skip, w.skip_norm, joined);
      linear(queue, rows_of(joined), w.skip, rows_of(out));
      x = out;
    }

    norm(queue, x, w.norm1, conditioning.shift(i, context.step()), normed);
    const View<Element, 3> qkv = wide_rows(3 * a);  // (n, b, 3a)
    const auto heads = [&qkv, a, head_dim](Index part) {
      return qkv.template slice<2>({part * a, (part + 1) * a}).unfold(head_dim);  // (n, b, heads, head_dim)
    };
    context.attend({.q = heads(0),
                    .k = heads(1),
                    .v = heads(2),
                    .q_norm = &w.self.q_norm,
                    .k_norm = &w.self.k_norm,
                    .rotation = conditioning.rotation(context.rows()),
                    .projection = {rows_of(normed), w.self.qkv, rows_of(qkv)}},
                   attended.unfold(head_dim));
    linear(queue, rows_of(attended), w.self.out, rows_of(out), {.residual = rows_of(context.once(x))});
    context.reduce(out);

    norm(queue, out, w.norm2, {}, normed);
    const View<Element, 3> q = wide_rows(a);  // (n, b, a)
    linear(queue, rows_of(normed), w.text.q, rows_of(q));
    norm_rotate(queue, q.unfold(head_dim), &w.text.q_norm, conditioning.rotation(context.rows()),
                q.unfold(head_dim));
    attention(queue, q.unfold(head_dim), conditioning.text_keys(i), conditioning.text_values(i),
              attended.unfold(head_dim));
    linear(queue, rows_of(attended), w.text.out, rows_of(out), {.residual = rows_of(context.once(out))});
    context.reduce(out);

    norm(queue, out, w.norm3, {}, normed);
    const View<Operand, 3> activated = as_operands<Operand>(wide_rows(hidden));  // (n, b, hidden)
    linear(queue, rows_of(normed), w.up, rows_of(activated), {.activation = Activation::gelu_tanh});
    linear(queue, rows_of(activated), w.down, rows_of(out), {.residual = rows_of(context.once(out))});
    context.reduce(out);
  }

  /// Computes the prediction (tokens, images, features) from tokens (tokens, images, width): as many of the
  /// features as it has room for, channel by channel.
  void unembed(auto& context, const Conditioning& conditioning, View<const Element, 3> tokens,
               View<float, 3> prediction) const {
    const View<Element, 3> normed = context.scratch().take(tokens.extent);  // (tokens, images, width)
    norm(context.queue(), tokens, {}, conditioning.last(context.step()), normed);
    linear(context.queue(), rows_of(normed), weights().proj_out.slice({0, prediction.extent[2]}),
           rows_of(prediction));
  }

 private:
  using Base::weights;
};

}  // namespace weft::inline v0_1
