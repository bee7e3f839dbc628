// HunyuanDiT v1.1 and v1.2: Li et al., "Hunyuan-DiT: A Powerful Multi-Resolution Diffusion Transformer with
// Fine-Grained Chinese Understanding", 2024; weights and names are those of diffusers' HunyuanDiT2DModel.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "weft/io/weight_files.hpp"
#include "weft/model/dit.hpp"
#include "weft/model/hunyuan/conditioning.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/hunyuan/weights.hpp"
#include "weft/model/layers.hpp"

namespace weft::inline v0_1 {

/// A model whose weights are on a backend, all of them or those of some blocks. Ranks that are threads may
/// share it; it must outlive their engines.
template <class BackendType>
class HunyuanDiT {
 public:
  using Backend = BackendType;
  using Element = typename Backend::Element;
  using Operand = typename Backend::Operand;
  using Queue = typename Backend::Queue;
  using Prompt = HunyuanPrompt;
  using Conditioning = hunyuan::Conditioning<Backend>;

  using Others = std::vector<const HunyuanDiT*>;

  /// Reads `folder`/config.json and the weights beside it, of all blocks or of `blocks`. Weights that one of
  /// `others`, models from the same folder, has are copied from its memory, on any device. Throws
  /// InvalidArgument if the folder does not hold a model that the backend can run.
  explicit HunyuanDiT(const std::filesystem::path& folder, const std::vector<Range>& blocks = {},
                      const Others& others = {})
      : config_(Config::read(folder / "config.json")) {
    load(WeightFiles(folder), blocks, others);
  }

  /// Reads weights from any source. Throws InvalidArgument, before any is read, if they do not match the
  /// settings or if the backend cannot run the model.
  template <WeightSource Source>
  HunyuanDiT(const HunyuanConfig& config, const Source& source, const std::vector<Range>& blocks = {},
             const Others& others = {})
      : config_(config) {
    load(source, blocks, others);
  }

  const HunyuanConfig& config() const { return config_; }
  DitShape shape() const { return config_.shape(); }
  /// Returns whether it holds the weights of block i.
  bool has_block(Index i) const { return weights_.has_section(static_cast<std::size_t>(i) + 1); }
  /// Returns a hash of the settings, and of the weights if their source has a digest.
  std::uint64_t digest() const { return digest_; }
  /// Throws InvalidArgument unless the prompt fits the model.
  void check(const Prompt& prompt) const { prompt.check(config_); }
  /// Returns the elements of scratch memory that a block takes.
  Index scratch(Index rows) const { return rows * (config_.width() + wide()); }

  /// Computes what is constant over a request: prompts as one batch, times (steps, images).
  [[nodiscard]] Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                                       const Share& share) const {
    Conditioning out(queue, config_, weights_, share, times.shape[0]);
    out.fill(queue, weights_, prompts, times);
    return out;
  }

  /// Overwrites a conditioning with the one for these prompts and times.
  void refill(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
              Conditioning& conditioning) const {
    conditioning.fill(queue, weights_, prompts, times);
  }

  /// Embeds latents (tokens, images, features) → tokens (tokens, images, width).
  void embed(auto& context, const Conditioning&, View<const Element, 3> latents,
             View<Element, 3> tokens) const {
    linear(context.queue(), rows_of(latents), weights_.embed, rows_of(tokens));
  }

  /// Computes block i: x → out, both (tokens, images, width), which may be the same memory. `skip`, of that
  /// shape, is the long skip, or empty.
  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3> skip, View<Element, 3> out) const {
    const hunyuan::Block<Backend>& w = weights_.blocks[static_cast<std::size_t>(i)];
    Queue& queue = context.queue();
    const Index n = x.extent[0], b = x.extent[1], c = config_.width();
    const View<Element, 3> narrow = context.scratch().take(std::array{n, b, c});  // (n, b, c)
    const View<Operand, 3> normed = as_operands<Operand>(narrow);                 // (n, b, c)
    Element* const memory = context.scratch().take(std::array{n * b * wide()}).data;
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
    const View<Element, 3> qkv = wide_rows(3 * c);  // (n, b, 3c)
    linear(queue, rows_of(normed), w.self.qkv, rows_of(qkv));
    const auto heads = [this, &qkv, c](Index part) {
      return qkv.template slice<2>({part * c, (part + 1) * c})
          .unfold(config_.head_dim);  // (n, b, heads, head_dim)
    };
    const View<Element, 4> attended = narrow.unfold(config_.head_dim);  // (n, b, heads, head_dim)
    context.attend({.q = heads(0),
                    .k = heads(1),
                    .v = heads(2),
                    .q_norm = &w.self.q_norm,
                    .k_norm = &w.self.k_norm,
                    .rotation = conditioning.rotation(context.rows())},
                   attended);
    linear(queue, operands_of<Backend>(queue, narrow), w.self.out, rows_of(out),
           {Activation::none, rows_of(x)});

    norm(queue, out, w.norm2, {}, normed);
    const View<Element, 3> q = wide_rows(c);  // (n, b, c)
    linear(queue, rows_of(normed), w.text.q, rows_of(q));
    norm_rotate(queue, q.unfold(config_.head_dim), &w.text.q_norm, conditioning.rotation(context.rows()),
                q.unfold(config_.head_dim));
    attention(queue, q.unfold(config_.head_dim), conditioning.text_keys(i), conditioning.text_values(i),
              attended);
    linear(queue, operands_of<Backend>(queue, narrow), w.text.out, rows_of(out),
           {Activation::none, rows_of(out)});

    norm(queue, out, w.norm3, {}, normed);
    const View<Operand, 3> hidden = as_operands<Operand>(wide_rows(config_.ffn));  // (n, b, ffn)
    linear(queue, rows_of(normed), w.up, rows_of(hidden), {Activation::gelu_tanh, {}});
    linear(queue, rows_of(hidden), w.down, rows_of(out), {Activation::none, rows_of(out)});
  }

  /// Computes the prediction (tokens, images, features) from tokens (tokens, images, width): as many of the
  /// features as it has room for, channel by channel.
  void unembed(auto& context, const Conditioning& conditioning, View<const Element, 3> tokens,
               View<float, 3> prediction) const {
    const View<Element, 3> normed = context.scratch().take(tokens.extent);  // (tokens, images, width)
    norm(context.queue(), tokens, {}, conditioning.last(context.step()), normed);
    linear(context.queue(), rows_of(normed), weights_.proj_out.slice({0, prediction.extent[2]}),
           rows_of(prediction));
  }

 private:
  template <class Source>
  void load(const Source& source, const std::vector<Range>& blocks, const Others& others) {
    source.expect(config_.tensors());
    digest_ = config_.digest();
    if constexpr (requires { source.digest(); }) digest_ = digest_of(digest_, source.digest());
    Queue queue;  // its end waits for all weights
    Backend::check(config_.shape());
    const std::vector<Range> all{{0, config_.blocks}};
    std::vector<const hunyuan::Weights<Backend>*> weights;
    for (const HunyuanDiT* other : others) weights.push_back(&other->weights_);
    weights_ = hunyuan::WeightReader<Backend, Source>(queue, config_, source)
                   .read(blocks.empty() ? all : blocks, weights);
  }

  Index wide() const { return std::max(3 * config_.width(), config_.ffn); }

  HunyuanConfig config_;
  std::uint64_t digest_ = 0;
  hunyuan::Weights<Backend> weights_;
};

}  // namespace weft::inline v0_1
