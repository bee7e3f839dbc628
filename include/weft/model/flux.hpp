// FLUX.1: Black Forest Labs, 2024; weights and names are those of diffusers' FluxTransformer2DModel. dev
// embeds the scale of guidance and has no negative branch; schnell has neither.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/io/json.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/model/flux/config.hpp"
#include "weft/model/joint/conditioning.hpp"
#include "weft/model/joint/prompt.hpp"

namespace weft::inline v0_1 {

namespace flux {

/// A block of one stream: attention and feed-forward side by side, of text and image alike.
/// Dehghani et al., "Scaling Vision Transformers to 22 Billion Parameters", 2023.
template <class Backend>
struct SingleBlock {
  LinearWeights<typename Backend::Element> modulation;
  BlockLinear<Backend> qkv, up, out;
  NormWeights q_norm, k_norm;
};

}  // namespace flux

template <class BackendType>
class Flux {
 public:
  using Backend = BackendType;
  using Element = typename Backend::Element;
  using Operand = typename Backend::Operand;
  using Queue = typename Backend::Queue;
  using Prompt = JointPrompt;
  using Conditioning = joint::Conditioning<Backend>;
  using Others = std::vector<const Flux*>;

  /// Reads `folder`/config.json and the weights beside it, of all blocks or of some. Weights that one of
  /// `others` has, which came from there too, are copied from its memory, on whatever device that is.
  explicit Flux(const std::filesystem::path& folder, const std::vector<Range>& blocks = {},
                const Others& others = {})
      : Flux(FluxConfig(Config::read(folder / "config.json")), WeightFiles(folder), blocks, others) {}

  /// Weights from any source. Throws InvalidArgument, before any is read, if they are not those of the
  /// settings, or the backend cannot run the model.
  template <WeightSource Source>
  Flux(const FluxConfig& config, const Source& source, const std::vector<Range>& blocks = {},
       const Others& others = {})
      : config_(config), memory_(std::make_unique<WeightMemory<Backend>>()) {
    Queue queue;  // ends when all is there
    Backend::check(config_.shape());
    std::vector<const WeightMemory<Backend>*> memories;
    for (const Flux* other : others) memories.push_back(other->memory_.get());
    weights_ = WeightLoader<Backend, Source>(queue, source, blocks, memories)
                   .load([this](auto& loader) { return place(loader); }, *memory_);
    if constexpr (requires { source.digest(); }) digest_ = source.digest();
  }

  const FluxConfig& config() const { return config_; }
  DitShape shape() const { return config_.shape(); }
  std::uint64_t digest() const { return digest_; }
  void check(const Prompt& prompt) const { prompt.check(config_.text_width, config_.pooled_width); }
  Index prefix(const Prompt& prompt) const { return prompt.states.shape[0]; }
  Index scratch(Index rows) const {
    const Index c = config_.width();
    return std::max(joint::block_scratch(rows, config_.sizes(), false),
                    rows * (c + 3 * c + c + config_.ffn()));
  }

  /// times (steps, images) from 0 to 1000.
  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                         const Share& share) const {
    const Index c = config_.width(), rows = times.size();
    Conditioning out{
        .text = joint::embedded_text<Backend>(queue, share, prompts, weights_.layers.text_in),
        .positions = {},
        .rotations = rotations(queue, share),
        .modulations = Modulations<Backend>(queue, vectors(share), times.shape[0], share.images, c),
        .prefix_rows = share.prefix_rows().size(),
        .images = share.images,
        .width = c};
    const auto embedding = joint::embedded_times<Backend>(queue, weights_.layers, prompts, times);
    const View<const Element, 2> x(embedding.view(std::array{rows, c}));
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i) {
        if (i < config_.double_blocks) {
          const joint::Block<Backend>& block = weights_.double_blocks[static_cast<std::size_t>(i)];
          linear(queue, x, block.image.modulation, out.modulations.outputs(2 * i));
          linear(queue, x, block.text.modulation, out.modulations.outputs(2 * i + 1));
        } else {
          linear(queue, x, single(i).modulation, out.modulations.outputs(2 * i));
        }
      }
    linear(queue, x, weights_.layers.norm_out, out.modulations.outputs(2 * config_.blocks()));
    return out;
  }

  /// latents (image tokens, images, features) → tokens (tokens, images, width), of which the first are the
  /// text's.
  void embed(auto& context, const Conditioning& conditioning, View<const Element, 3> latents,
             View<Element, 3> tokens) const {
    const Range text = context.prefix_rows();
    conditioning.put_text(context.queue(), text, tokens);
    if (!latents.empty())
      linear(context.queue(), rows_of(latents), weights_.layers.image_in,
             rows_of(tokens.template slice<0>({text.size(), tokens.extent[0]})));
  }

  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3>, View<Element, 3> out) const {
    const Rotation rotation = conditioning.rotations.rows(context.rows());
    if (i >= config_.double_blocks) return single_block(i, context, conditioning, rotation, x, out);
    const joint::BlockSizes sizes = config_.sizes();
    joint::BlockRun(context, weights_.double_blocks[static_cast<std::size_t>(i)], sizes,
                    conditioning.modulations, {2 * i, 2 * i + 1}, rotation, x, out)();
  }

  /// tokens (image tokens, images, width) → prediction (image tokens, images, features).
  void unembed(auto& context, const Conditioning& conditioning, View<const Element, 3> tokens,
               View<float, 3> prediction) const {
    if (tokens.empty()) return;
    const View<Element, 3> normed = context.scratch().take(tokens.extent);
    norm(context.queue(), tokens, {},
         conditioning.modulations.modulation(2 * config_.blocks(), 1, 0, context.step()), normed);
    linear(context.queue(), rows_of(normed), weights_.layers.proj_out, rows_of(prediction));
  }

 private:
  struct Weights {
    joint::Surroundings<Backend> layers;
    std::vector<joint::Block<Backend>> double_blocks;
    std::vector<flux::SingleBlock<Backend>> single_blocks;
  };

  const flux::SingleBlock<Backend>& single(Index i) const {
    return weights_.single_blocks[static_cast<std::size_t>(i - config_.double_blocks)];
  }

  void single_block(Index i, auto& context, const Conditioning& conditioning, const Rotation& rotation,
                    const View<const Element, 3>& x, const View<Element, 3>& out) const {
    const flux::SingleBlock<Backend>& w = single(i);
    Queue& queue = context.queue();
    const Index n = x.extent[0], b = x.extent[1], c = config_.width();
    const View<Element, 3> narrow_memory = context.scratch().take(x.extent);       // (n, b, c)
    const View<Element, 3> qkv = context.scratch().take(std::array{n, b, 3 * c});  // (n, b, 3c)
    const View<Element, 3> wide = context.scratch().take(std::array{n, b, c + config_.ffn()});
    const View<Operand, 3> normed = as_operands<Operand>(narrow_memory);
    const View<Operand, 3> joined = as_operands<Operand>(wide);  // (n, b, attended | hidden)
    const auto heads = [this, &qkv, c](Index part) {
      return qkv.template slice<2>({part * c, (part + 1) * c}).unfold(config_.head_dim);
    };
    norm(queue, x, {}, conditioning.modulations.modulation(2 * i, 0, 1, context.step()), normed);
    linear(queue, rows_of(normed), w.qkv, rows_of(qkv));
    linear(queue, rows_of(normed), w.up, rows_of(joined.template slice<2>({c, c + config_.ffn()})),
           {.activation = Activation::gelu_tanh});
    context.attend({.q = heads(0),
                    .k = heads(1),
                    .v = heads(2),
                    .q_norm = &w.q_norm,
                    .k_norm = &w.k_norm,
                    .rotation = rotation,
                    .prefix = context.prefix_rows().size(),
                    .prefix_q_norm = &w.q_norm,
                    .prefix_k_norm = &w.k_norm},
                   attended(narrow_memory, wide, c).unfold(config_.head_dim));
    if constexpr (!std::is_same_v<Operand, Element>)
      narrow(queue, rows_of(narrow_memory), rows_of(joined.template slice<2>({0, c})));
    linear(queue, rows_of(joined), w.out, rows_of(out),
           {.residual = rows_of(x), .gate = conditioning.modulations.gate(2 * i, 2, context.step())});
  }

  /// Returns the memory that attention writes: beside the hidden features, or where operands are narrower,
  /// its own.
  static View<Element, 3> attended(const View<Element, 3>& own, const View<Element, 3>& wide, Index c) {
    if constexpr (std::is_same_v<Operand, Element>) return wide.template slice<2>({0, c});
    return own;
  }

  template <class Loader>
  Weights place(Loader& loader) const {
    const Index c = config_.width();
    const auto mlp = [&loader, c](const std::string& name, Index inputs) {
      return Mlp<Element>{loader.linear(name + ".linear_1", c, inputs),
                          loader.linear(name + ".linear_2", c, c)};
    };
    const auto shared = [this, &loader, &mlp, c] {
      joint::Surroundings<Backend> out{.image_in = loader.linear("x_embedder", c, config_.features()),
                                       .text_in = loader.linear("context_embedder", c, config_.text_width),
                                       .norm_out = loader.linear("norm_out.linear", 2 * c, c),
                                       .proj_out = loader.linear("proj_out", config_.features(), c),
                                       .time = mlp("time_text_embed.timestep_embedder", 256),
                                       .pooled = mlp("time_text_embed.text_embedder", config_.pooled_width)};
      if (config_.embeds_guidance) out.guidance = mlp("time_text_embed.guidance_embedder", 256);
      return out;
    };
    const auto double_block = [this, &loader](Index i) {
      return joint::place_block<Backend>(loader, "transformer_blocks." + std::to_string(i) + ".",
                                         config_.sizes(), {});
    };
    const auto single_block = [this, &loader, c](Index i) {
      const std::string name = "single_transformer_blocks." + std::to_string(i - config_.double_blocks) + ".";
      return flux::SingleBlock<Backend>{
          .modulation = loader.linear(name + "norm.linear", 3 * c, c),
          .qkv = loader.block_linear({name + "attn.to_q", name + "attn.to_k", name + "attn.to_v"}, c, c),
          .up = loader.block_linear({name + "proj_mlp"}, config_.ffn(), c),
          .out = loader.block_linear({name + "proj_out"}, c, c + config_.ffn()),
          .q_norm = loader.rms_norm(name + "attn.norm_q", config_.head_dim),
          .k_norm = loader.rms_norm(name + "attn.norm_k", config_.head_dim)};
    };
    Weights out;
    out.layers = loader.shared(shared);
    out.double_blocks = loader.blocks({0, config_.double_blocks}, double_block);
    out.single_blocks = loader.blocks({config_.double_blocks, config_.blocks()}, single_block);
    return out;
  }

  /// Returns how many vectors each slot of the modulations has; none of blocks that are not the share's.
  std::vector<Index> vectors(const Share& share) const {
    std::vector<Index> out(static_cast<std::size_t>(2 * config_.blocks()), 0);
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i) {
        const bool is_double = i < config_.double_blocks;
        out[static_cast<std::size_t>(2 * i)] = is_double ? 6 : 3;
        out[static_cast<std::size_t>(2 * i + 1)] = is_double ? 6 : 0;
      }
    out.push_back(2);
    return out;
  }

  /// Returns the rotations: none of text, and of an image's token by its row and its column.
  RotationTable<Backend> rotations(Queue& queue, const Share& share) const {
    const std::vector<Index>& axes = config_.axes;
    const Index columns = share.image.columns(), prefix = share.prefix;
    return {queue, share, config_.head_dim, [&axes, columns, prefix](Index token, Index pair) {
              if (token < prefix) return 0.0;
              const std::array<Index, 3> at{0, (token - prefix) / columns, (token - prefix) % columns};
              std::size_t axis = 0;
              while (pair >= axes[axis] / 2) pair -= axes[axis++] / 2;
              const double frequency =
                  std::pow(10000.0, -static_cast<double>(2 * pair) / static_cast<double>(axes[axis]));
              return static_cast<double>(at[axis]) * frequency;
            }};
  }

  FluxConfig config_;
  std::uint64_t digest_ = 0;
  std::unique_ptr<WeightMemory<Backend>> memory_;
  Weights weights_;
};

}  // namespace weft::inline v0_1
