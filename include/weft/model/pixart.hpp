// PixArt-α and PixArt-Σ: Chen et al., "PixArt-α: Fast Training of Diffusion Transformer for Photorealistic
// Text-to-Image Synthesis", 2023, and "PixArt-Σ: Weak-to-Strong Training of Diffusion Transformer for 4K
// Text-to-Image Generation", 2024; weights and names are those of diffusers' PixArtTransformer2DModel.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/model/dit.hpp"
#include "weft/model/embeddings.hpp"
#include "weft/model/loaded_model.hpp"
#include "weft/model/modulations.hpp"
#include "weft/model/pixart/prompt.hpp"
#include "weft/model/pixart/weights.hpp"
#include "weft/model/weight_loader.hpp"

namespace weft::inline v0_1 {

namespace pixart {

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
  using Others = std::vector<const PixArt*>;

  /// Reads `folder`/config.json and the weights beside it, of all blocks or of some. Weights that one of
  /// `others` has, which came from there too, are copied from its memory.
  explicit PixArt(const std::filesystem::path& folder, const std::vector<Range>& blocks = {},
                  const Others& others = {})
      : Base(folder, blocks, Base::memories_of(others)) {}

  /// Takes weights from any source. Throws InvalidArgument, before any is read, if they are not those of the
  /// settings, or the backend cannot run the model.
  template <WeightSource Source>
  PixArt(const PixArtConfig& settings, const Source& source, const std::vector<Range>& blocks = {},
         const Others& others = {})
      : Base(settings, source, blocks, Base::memories_of(others)) {}

  void check(const Prompt& prompt) const { prompt.check(config()); }

  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                         const Share& share) const {
    const Index count = config().blocks, c = config().width();
    Conditioning out{
        .positions = constant<Backend, Element>(queue, share.rows.size() * share.images * c,
                                                [this, &share] { return positions(share); }),
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
    linear(context.queue(), rows_of(latents), weights().shared.embed, rows_of(tokens),
           {.residual = rows_of(all.template slice<0>(rows))});
  }

  /// x → out, both (tokens, images, width), which may be the same memory.
  void block(Index i, auto& context, const Conditioning& conditioning, View<const Element, 3> x,
             View<const Element, 3>, View<Element, 3> out) const {
    const pixart::Block<Backend>& w = weights().blocks[static_cast<std::size_t>(i)];
    const Modulations<Backend>& modulations = conditioning.modulations;
    auto& queue = context.queue();
    const Step step = context.step();
    const Index n = x.extent[0], b = x.extent[1], c = config().width(), head_dim = config().head_dim;
    const View<Element, 3> narrow_memory = context.scratch().take(x.extent);  // (n, b, c)
    const View<Operand, 3> normed = as_operands<Operand>(narrow_memory);
    Element* const memory = context.scratch().take(std::array{n * b * config().ffn()}).data;
    const auto wide = [memory, n, b](Index features) { return View<Element, 3>(memory, {n, b, features}); };
    const View<Element, 4> attended = narrow_memory.unfold(head_dim);  // (n, b, heads, head_dim)

    norm(queue, x, {}, modulations.modulation(i, 0, 1, step), normed);
    const View<Element, 3> qkv = wide(3 * c);
    linear(queue, rows_of(normed), w.qkv, rows_of(qkv));
    const auto heads = [&qkv, c, head_dim](Index part) {
      return qkv.template slice<2>({part * c, (part + 1) * c}).unfold(head_dim);
    };
    context.attend({.q = heads(0), .k = heads(1), .v = heads(2)}, attended);
    linear(queue, operands_of<Operand>(queue, narrow_memory), w.out, rows_of(out),
           {.residual = rows_of(x), .gate = modulations.gate(i, 2, step)});

    const View<Element, 3> q = wide(c);
    linear(queue, as_read(queue, out, narrow_memory), w.text_q, rows_of(q));
    for (Index p = 0; p < b; ++p) {
      const auto of_image = [p](const auto& all) { return all.template slice<1>({p, p + 1}); };
      attention(queue, of_image(q).unfold(head_dim), text_heads(conditioning, i, p, 0),
                text_heads(conditioning, i, p, 1), of_image(attended));
    }
    linear(queue, operands_of<Operand>(queue, narrow_memory), w.text_out, rows_of(out),
           {.residual = rows_of(out)});

    norm(queue, out, {}, modulations.modulation(i, 3, 4, step), normed);
    const View<Operand, 3> hidden = as_operands<Operand>(wide(config().ffn()));
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
         conditioning.modulations.modulation(config().blocks, 0, 1, context.step()), normed);
    linear(context.queue(), rows_of(normed), weights().shared.proj_out.slice({0, prediction.extent[2]}),
           rows_of(prediction));
  }

 private:
  using Base::weights;

  using Buffer = typename Backend::template Buffer<Element>;

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

  View<const Element, 4> text_heads(const Conditioning& conditioning, Index i, Index p, Index part) const {
    const pixart::Text<Backend>& text = conditioning.texts[static_cast<std::size_t>(p)];
    const Index c = config().width(), slot = conditioning.slots[static_cast<std::size_t>(i)];
    const Index slots = text.keys_values.size() / (text.length * 2 * c);
    return text.keys_values.view(std::array{slots, text.length, Index{1}, 2 * c})[slot]
        .template slice<2>({part * c, (part + 1) * c})
        .unfold(config().head_dim);
  }

  /// Returns the words of a prompt after their projection, as keys and values of the share's blocks.
  pixart::Text<Backend> text(Queue& queue, const Prompt& prompt, const Share& share,
                             const std::vector<Index>& slots) const {
    const Tensor words = prompt.words();
    const Index length = words.shape[0], c = config().width();
    Index count = 0;
    for (const Range& range : share.blocks) count += range.size();
    const Buffer projected(queue, length * c);
    const View<Element, 2> states = projected.view(std::array{length, c});
    apply<Backend>(queue, weights().shared.text, Activation::gelu_tanh, words, states);
    pixart::Text<Backend> out{length, Buffer(queue, count * length * 2 * c)};
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i)
        linear(queue, states, weights().blocks[static_cast<std::size_t>(i)].text_kv,
               out.keys_values.view(std::array{count, length, 2 * c})[slots[static_cast<std::size_t>(i)]]);
    return out;
  }

  /// Writes every block's table plus what the times give to all, and the last norm's plus the times' own
  /// embedding.
  void modulate(Queue& queue, std::span<const Prompt> prompts, const Tensor& times, const Share& share,
                const Modulations<Backend>& out) const {
    const Index rows = times.size(), c = config().width();
    const Buffer embedding = embedded_times(queue, prompts, times);
    const View<Element, 2> e = embedding.view(std::array{rows, c});
    const Buffer x = activated<Backend>(queue, e);
    const typename Backend::template Buffer<float> all(queue, rows * 6 * c);
    linear(queue, x.view(std::array{rows, c}), weights().shared.modulation,
           all.view(std::array{rows, 6 * c}));
    if constexpr (!holds_numbers<Backend>) return;  // the rest is the host's
    const Tensor of_all_blocks = download(queue, all.view(std::array{rows, 6 * c}));
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i)
        upload(queue, plus_table(queue, of_all_blocks, weights().blocks[static_cast<std::size_t>(i)].table),
               out.outputs(i));
    const Tensor once = download(queue, e);
    Tensor twice({rows, 2 * c});
    for (Index row = 0; row < rows; ++row)
      for (Index half = 0; half < 2; ++half)
        std::copy_n(once.view<2>()[row].data, c, twice.view<2>()[row].data + half * c);
    upload(queue, plus_table(queue, twice, weights().shared.table), out.outputs(config().blocks));
  }

  /// Returns each row of x (rows, vectors · width) plus the table (vectors, width).
  static Tensor plus_table(Queue& queue, Tensor x, const View<const float, 2>& table) {
    const Tensor added = download(queue, table);
    for (std::size_t i = 0; i < x.data.size(); ++i) x.data[i] += added.data[i % added.data.size()];
    return x;
  }

  /// Returns the embeddings (steps · images, width): of the times, and for α at 1024 px of the images' sizes.
  Buffer embedded_times(Queue& queue, std::span<const Prompt> prompts, const Tensor& times) const {
    const Index steps = times.shape[0], images = times.shape[1], rows = steps * images, c = config().width();
    Buffer out(queue, rows * c);
    const View<Element, 2> all = out.view(std::array{rows, c});
    if (config().has_size) {
      const Buffer sizes = embedded_sizes(queue, prompts);
      copy(queue,
           View<const Element, 3>(sizes.view(std::array{sizes.size()}).data, {steps, images, c}, {0, c, 1}),
           out.view(std::array{steps, images, c}));
    }
    apply_to_sinusoids<Backend>(queue, weights().shared.time, times.data, all, config().has_size);
    return out;
  }

  /// Returns the embeddings (images, width): height, width and aspect ratio, a third of the features each.
  Buffer embedded_sizes(Queue& queue, std::span<const Prompt> prompts) const {
    const auto images = static_cast<Index>(prompts.size()), third = config().width() / 3;
    Buffer out(queue, images * 3 * third);
    const View<Element, 2> all = out.view(std::array{images, 3 * third});
    std::array<std::vector<float>, 3> numbers;
    for (const Prompt& prompt : prompts) {
      numbers[0].push_back(prompt.resolution.data[0]);
      numbers[1].push_back(prompt.resolution.data[1]);
      numbers[2].push_back(prompt.aspect_ratio.data[0]);
    }
    for (Index part = 0; part < 3; ++part)
      apply_to_sinusoids<Backend>(
          queue, part < 2 ? weights().shared.resolution : weights().shared.aspect_ratio,
          numbers[static_cast<std::size_t>(part)], all.template slice<1>({part * third, (part + 1) * third}));
    return out;
  }

  std::vector<Index> vectors(const Share& share) const {
    std::vector<Index> out(static_cast<std::size_t>(config().blocks), 0);
    for (const Range& range : share.blocks) std::fill(out.begin() + range.begin, out.begin() + range.end, 6);
    out.push_back(2);
    return out;
  }

  /// Returns sines and cosines of a token's column, then of its row, in a grid that always spans the model's
  /// own: (rows, images, width).
  Tensor positions(const Share& share) const {
    const Index c = config().width(), quarter = c / 4, columns = share.image.columns();
    const auto place = [this](Index at, Index count) {
      return static_cast<double>(at) / (static_cast<double>(count) / static_cast<double>(config().base)) /
             config().position_scale;
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
};

}  // namespace weft::inline v0_1
