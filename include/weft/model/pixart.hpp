// PixArt-α and PixArt-Σ: Chen et al., "PixArt-α: Fast Training of Diffusion Transformer for Photorealistic
// Text-to-Image Synthesis", 2023, and "PixArt-Σ: Weak-to-Strong Training of Diffusion Transformer for 4K
// Text-to-Image Generation", 2024; weights and names are those of diffusers' PixArtTransformer2DModel.
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
#include "weft/model/dit.hpp"
#include "weft/model/embeddings.hpp"
#include "weft/model/modulations.hpp"
#include "weft/model/pixart/config.hpp"
#include "weft/model/pixart/prompt.hpp"
#include "weft/model/weight_loader.hpp"

namespace weft::inline v0_1 {

namespace pixart {

template <class Backend>
struct Block {
  View<const float, 2> table;  // (6, width): shift, scale and gate of attention and feed-forward
  BlockLinear<Backend> qkv, out;
  BlockLinear<Backend> text_q, text_out;
  LinearWeights<typename Backend::Element> text_kv;
  BlockLinear<Backend> up, down;
};

template <class Backend>
struct Weights {
  using Element = typename Backend::Element;

  struct Shared {
    LinearWeights<Element> embed, proj_out, modulation;
    Mlp<Element> time, resolution{}, aspect_ratio{}, text;
    View<const float, 2> table;  // (2, width): shift and scale of the last norm
  } shared;
  std::vector<Block<Backend>> blocks;
};

/// The text of one image as every block attends to it.
template <class Backend>
struct Text {
  Index length;
  typename Backend::template Buffer<typename Backend::Element> keys_values;  // (blocks, length, 1, 2 · width)
};

template <class Backend>
struct Conditioning {
  typename Backend::template Buffer<typename Backend::Element> positions;  // (image rows, images, width)
  Modulations<Backend> modulations;  // slot i: block i's; the last: the last norm's
  std::vector<Text<Backend>> texts;  // one an image
  std::vector<Index> slots;          // of every block among the share's
};

}  // namespace pixart

template <class BackendType>
class PixArt {
 public:
  using Backend = BackendType;
  using Element = typename Backend::Element;
  using Operand = typename Backend::Operand;
  using Queue = typename Backend::Queue;
  using Prompt = PixArtPrompt;
  using Conditioning = pixart::Conditioning<Backend>;
  using Others = std::vector<const PixArt*>;

  /// Reads `folder`/config.json and the weights beside it, of all blocks or of some. Weights that one of
  /// `others` has, which came from there too, are copied from its memory, on whatever device that is.
  explicit PixArt(const std::filesystem::path& folder, const std::vector<Range>& blocks = {},
                  const Others& others = {})
      : PixArt(PixArtConfig(Config::read(folder / "config.json")), WeightFiles(folder), blocks, others) {}

  /// Weights from any source. Throws InvalidArgument, before any is read, if they are not those of the
  /// settings, or the backend cannot run the model.
  template <WeightSource Source>
  PixArt(const PixArtConfig& config, const Source& source, const std::vector<Range>& blocks = {},
         const Others& others = {})
      : config_(config), memory_(std::make_unique<WeightMemory<Backend>>()) {
    Queue queue;  // ends when all is there
    Backend::check(config_.shape());
    std::vector<const WeightMemory<Backend>*> memories;
    for (const PixArt* other : others) memories.push_back(other->memory_.get());
    weights_ = WeightLoader<Backend, Source>(queue, source, blocks, memories)
                   .load([this](auto& loader) { return place(loader); }, *memory_);
    if constexpr (requires { source.digest(); }) digest_ = source.digest();
  }

  const PixArtConfig& config() const { return config_; }
  DitShape shape() const { return config_.shape(); }
  std::uint64_t digest() const { return digest_; }
  Index scratch(Index rows) const { return rows * (config_.width() + config_.ffn()); }

  void check(const Prompt& prompt) const { prompt.check(config_); }

  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                         const Share& share) const {
    const Index count = config_.blocks, c = config_.width();
    Conditioning out{
        .positions = constant<Backend, Element>(queue, positions(share)),
        .modulations = Modulations<Backend>(queue, vectors(share), times.shape[0], share.images, c),
        .texts = {},
        .slots = std::vector<Index>(static_cast<std::size_t>(count), 0)};
    Index slot = 0;
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i) out.slots[static_cast<std::size_t>(i)] = slot++;
    for (const Prompt& prompt : prompts) out.texts.push_back(text(queue, prompt, share, out.slots));
    modulate(queue, prompts, times, share, out.modulations);
    return out;
  }

  /// latents (tokens, images, features) → tokens (tokens, images, width).
  void embed(auto& context, const Conditioning& conditioning, View<const Element, 3> latents,
             View<Element, 3> tokens) const {
    const Range rows = context.rows();
    const View<const Element, 3> all(
        conditioning.positions.view(std::array{conditioning.positions.size()}).data,
        {rows.end, tokens.extent[1], tokens.extent[2]});
    linear(context.queue(), rows_of(latents), weights_.shared.embed, rows_of(tokens),
           {.residual = rows_of(all.template slice<0>(rows))});
  }

  /// x → out, both (tokens, images, width), which may be the same memory.
  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3>, View<Element, 3> out) const {
    const pixart::Block<Backend>& w = weights_.blocks[static_cast<std::size_t>(i)];
    const Modulations<Backend>& modulations = conditioning.modulations;
    Queue& queue = context.queue();
    const Step step = context.step();
    const Index n = x.extent[0], b = x.extent[1], c = config_.width(), head_dim = config_.head_dim;
    const View<Element, 3> narrow_memory = context.scratch().take(x.extent);  // (n, b, c)
    const View<Operand, 3> normed = as_operands<Operand>(narrow_memory);
    Element* const memory = context.scratch().take(std::array{n * b * config_.ffn()}).data;
    const auto wide = [memory, n, b](Index features) { return View<Element, 3>(memory, {n, b, features}); };
    const View<Element, 4> attended = narrow_memory.unfold(head_dim);  // (n, b, heads, head_dim)

    norm(queue, x, {}, modulations.modulation(i, 0, 1, step), normed);
    const View<Element, 3> qkv = wide(3 * c);
    linear(queue, rows_of(normed), w.qkv, rows_of(qkv));
    const auto heads = [&qkv, c, head_dim](Index part) {
      return qkv.template slice<2>({part * c, (part + 1) * c}).unfold(head_dim);
    };
    context.attend({.q = heads(0), .k = heads(1), .v = heads(2)}, attended);
    linear(queue, operands_of<Backend>(queue, narrow_memory), w.out, rows_of(out),
           {.residual = rows_of(x), .gate = modulations.gate(i, 2, step)});

    const View<Element, 3> q = wide(c);
    linear(queue, as_read(queue, out, narrow_memory), w.text_q, rows_of(q));
    for (Index p = 0; p < b; ++p) {
      const auto of_image = [p](const auto& all) { return all.template slice<1>({p, p + 1}); };
      attention(queue, of_image(q).unfold(head_dim), text_heads(conditioning, i, p, 0),
                text_heads(conditioning, i, p, 1), of_image(attended));
    }
    linear(queue, operands_of<Backend>(queue, narrow_memory), w.text_out, rows_of(out),
           {.residual = rows_of(out)});

    norm(queue, out, {}, modulations.modulation(i, 3, 4, step), normed);
    const View<Operand, 3> hidden = as_operands<Operand>(wide(config_.ffn()));
    linear(queue, rows_of(normed), w.up, rows_of(hidden), {.activation = Activation::gelu_tanh});
    linear(queue, rows_of(hidden), w.down, rows_of(out),
           {.residual = rows_of(out), .gate = modulations.gate(i, 5, step)});
  }

  /// tokens (tokens, images, width) → prediction (tokens, images, features): as many of the features as the
  /// prediction has room for, channel by channel.
  void unembed(auto& context, const Conditioning& conditioning, View<const Element, 3> tokens,
               View<float, 3> prediction) const {
    const View<Element, 3> normed = context.scratch().take(tokens.extent);
    norm(context.queue(), tokens, {},
         conditioning.modulations.modulation(config_.blocks, 0, 1, context.step()), normed);
    linear(context.queue(), rows_of(normed), weights_.shared.proj_out.slice({0, prediction.extent[2]}),
           rows_of(prediction));
  }

 private:
  using Buffer = typename Backend::template Buffer<Element>;

  /// Returns tokens as linear layers of blocks read them; `memory` is for narrower operands.
  static View<const Operand, 2> as_read(Queue& queue, const View<Element, 3>& x,
                                        const View<Element, 3>& memory) {
    if constexpr (std::is_same_v<Operand, Element>) {
      return rows_of(x);
    } else {
      const View<Operand, 2> out = rows_of(as_operands<Operand>(memory));
      narrow(queue, rows_of(x), out);
      return out;
    }
  }

  View<const Element, 4> text_heads(const Conditioning& conditioning, Index i, Index p, Index part) const {
    const pixart::Text<Backend>& text = conditioning.texts[static_cast<std::size_t>(p)];
    const Index c = config_.width(), slot = conditioning.slots[static_cast<std::size_t>(i)];
    const Index slots = text.keys_values.size() / (text.length * 2 * c);
    return text.keys_values.view(std::array{slots, text.length, Index{1}, 2 * c})[slot]
        .template slice<2>({part * c, (part + 1) * c})
        .unfold(config_.head_dim);
  }

  /// Returns the words of a prompt after their projection, as keys and values of the share's blocks.
  pixart::Text<Backend> text(Queue& queue, const Prompt& prompt, const Share& share,
                             const std::vector<Index>& slots) const {
    const Tensor words = prompt.words();
    const Index length = words.shape[0], c = config_.width();
    Index count = 0;
    for (const Range& range : share.blocks) count += range.size();
    const Buffer projected(queue, length * c);
    const View<Element, 2> states = projected.view(std::array{length, c});
    apply<Backend>(queue, weights_.shared.text, Activation::gelu_tanh, words, states);
    pixart::Text<Backend> out{length, Buffer(queue, count * length * 2 * c)};
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i)
        linear(queue, states, weights_.blocks[static_cast<std::size_t>(i)].text_kv,
               out.keys_values.view(std::array{count, length, 2 * c})[slots[static_cast<std::size_t>(i)]]);
    return out;
  }

  /// Writes every block's table plus what the times give to all, and the last norm's plus the times' own
  /// embedding.
  void modulate(Queue& queue, std::span<const Prompt> prompts, const Tensor& times, const Share& share,
                const Modulations<Backend>& out) const {
    const Index rows = times.size(), c = config_.width();
    const Buffer embedding = embedded_times(queue, prompts, times);
    const View<Element, 2> e = embedding.view(std::array{rows, c});
    const Buffer x = activated<Backend>(queue, e);
    const typename Backend::template Buffer<float> all(queue, rows * 6 * c);
    linear(queue, x.view(std::array{rows, c}), weights_.shared.modulation, all.view(std::array{rows, 6 * c}));
    const Tensor of_all_blocks = download(queue, all.view(std::array{rows, 6 * c}));
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i)
        upload(queue, plus_table(queue, of_all_blocks, weights_.blocks[static_cast<std::size_t>(i)].table),
               out.outputs(i));
    const Tensor once = download(queue, e);
    Tensor twice({rows, 2 * c});
    for (Index row = 0; row < rows; ++row)
      for (Index half = 0; half < 2; ++half)
        std::copy_n(once.view<2>()[row].data, c, twice.view<2>()[row].data + half * c);
    upload(queue, plus_table(queue, twice, weights_.shared.table), out.outputs(config_.blocks));
  }

  /// Returns each row of x (rows, vectors · width) plus the table (vectors, width).
  static Tensor plus_table(Queue& queue, Tensor x, const View<const float, 2>& table) {
    const Tensor added = download(queue, table);
    for (std::size_t i = 0; i < x.data.size(); ++i) x.data[i] += added.data[i % added.data.size()];
    return x;
  }

  /// Returns the embeddings (steps · images, width): of the times, and for α at 1024 px of the images' sizes.
  Buffer embedded_times(Queue& queue, std::span<const Prompt> prompts, const Tensor& times) const {
    const Index steps = times.shape[0], images = times.shape[1], rows = steps * images, c = config_.width();
    Buffer out(queue, rows * c);
    const View<Element, 2> all = out.view(std::array{rows, c});
    if (config_.has_size) {
      const Buffer sizes = embedded_sizes(queue, prompts);
      copy(queue,
           View<const Element, 3>(sizes.view(std::array{sizes.size()}).data, {steps, images, c}, {0, c, 1}),
           out.view(std::array{steps, images, c}));
    }
    apply<Backend>(queue, weights_.shared.time, Activation::silu, sinusoids(times.data), all,
                   config_.has_size);
    return out;
  }

  /// Returns the embeddings (images, width): height, width and aspect ratio, a third of the features each.
  Buffer embedded_sizes(Queue& queue, std::span<const Prompt> prompts) const {
    const auto images = static_cast<Index>(prompts.size()), third = config_.width() / 3;
    Buffer out(queue, images * 3 * third);
    const View<Element, 2> all = out.view(std::array{images, 3 * third});
    std::array<std::vector<float>, 3> numbers;
    for (const Prompt& prompt : prompts) {
      numbers[0].push_back(prompt.resolution.data[0]);
      numbers[1].push_back(prompt.resolution.data[1]);
      numbers[2].push_back(prompt.aspect_ratio.data[0]);
    }
    for (Index part = 0; part < 3; ++part)
      apply<Backend>(queue, part < 2 ? weights_.shared.resolution : weights_.shared.aspect_ratio,
                     Activation::silu, sinusoids(numbers[static_cast<std::size_t>(part)]),
                     all.template slice<1>({part * third, (part + 1) * third}));
    return out;
  }

  template <class Loader>
  pixart::Weights<Backend> place(Loader& loader) const {
    const Index c = config_.width();
    const auto mlp = [&loader](const std::string& name, Index outputs, Index inputs) {
      return Mlp<Element>{loader.linear(name + ".linear_1", outputs, inputs),
                          loader.linear(name + ".linear_2", outputs, outputs)};
    };
    const auto shared = [this, &loader, &mlp, c] {
      typename pixart::Weights<Backend>::Shared out{
          .embed = loader.patches("pos_embed.proj", c, config_.channels, config_.patch),
          .proj_out = loader.image_major("proj_out", config_.out_channels, config_.patch, c),
          .modulation = loader.linear("adaln_single.linear", 6 * c, c),
          .time = mlp("adaln_single.emb.timestep_embedder", c, 256),
          .text = mlp("caption_projection", c, config_.text_width),
          .table = loader.table("scale_shift_table", {2, c})};
      if (config_.has_size) {
        out.resolution = mlp("adaln_single.emb.resolution_embedder", c / 3, 256);
        out.aspect_ratio = mlp("adaln_single.emb.aspect_ratio_embedder", c / 3, 256);
      }
      return out;
    };
    const auto block = [this, &loader, c](Index i) {
      const std::string name = "transformer_blocks." + std::to_string(i) + ".";
      return pixart::Block<Backend>{
          .table = loader.table(name + "scale_shift_table", {6, c}),
          .qkv = loader.block_linear({name + "attn1.to_q", name + "attn1.to_k", name + "attn1.to_v"}, c, c),
          .out = loader.block_linear({name + "attn1.to_out.0"}, c, c),
          .text_q = loader.block_linear({name + "attn2.to_q"}, c, c),
          .text_out = loader.block_linear({name + "attn2.to_out.0"}, c, c),
          .text_kv = loader.linear({name + "attn2.to_k", name + "attn2.to_v"}, c, c),
          .up = loader.block_linear({name + "ff.net.0.proj"}, config_.ffn(), c),
          .down = loader.block_linear({name + "ff.net.2"}, c, config_.ffn())};
    };
    pixart::Weights<Backend> out;
    out.shared = loader.shared(shared);
    out.blocks = loader.blocks({0, config_.blocks}, block);
    return out;
  }

  std::vector<Index> vectors(const Share& share) const {
    std::vector<Index> out(static_cast<std::size_t>(config_.blocks), 0);
    for (const Range& range : share.blocks) std::fill(out.begin() + range.begin, out.begin() + range.end, 6);
    out.push_back(2);
    return out;
  }

  /// Returns sines and cosines of a token's column, then of its row, in a grid that always spans the model's
  /// own: (rows, images, width).
  Tensor positions(const Share& share) const {
    const Index c = config_.width(), quarter = c / 4, columns = share.image.columns();
    const auto place = [this](Index at, Index count) {
      return static_cast<double>(at) / (static_cast<double>(count) / static_cast<double>(config_.base)) /
             config_.position_scale;
    };
    Tensor out({share.rows.size(), share.images, c});
    Index row = 0;
    for (Index m = 0; m < share.rows.patches(); ++m)
      for (Index t = share.rows.tokens(m).begin; t < share.rows.tokens(m).end; ++t, ++row) {
        const std::array<double, 2> at{place(t % columns, columns), place(t / columns, share.image.rows())};
        for (Index f = 0; f < c; ++f) {
          const Index half = f / (2 * quarter), in_half = f % (2 * quarter);
          const double frequency =
              std::pow(10000.0, -static_cast<double>(in_half % quarter) / static_cast<double>(quarter));
          const double angle = at[static_cast<std::size_t>(half)] * frequency;
          const auto value = static_cast<float>(in_half < quarter ? std::sin(angle) : std::cos(angle));
          for (Index p = 0; p < share.images; ++p) out.view<3>()[row][p][f] = value;
        }
      }
    return out;
  }

  PixArtConfig config_;
  std::uint64_t digest_ = 0;
  std::unique_ptr<WeightMemory<Backend>> memory_;
  pixart::Weights<Backend> weights_;
};

}  // namespace weft::inline v0_1
