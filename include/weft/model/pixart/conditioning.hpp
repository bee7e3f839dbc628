// The constants of a request to PixArt: text keys and values of every block, modulations of every step.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weft/core/key_mask.hpp"
#include "weft/model/dit.hpp"
#include "weft/model/embeddings.hpp"
#include "weft/model/layers.hpp"
#include "weft/model/modulations.hpp"
#include "weft/model/pixart/prompt.hpp"
#include "weft/model/pixart/weights.hpp"

namespace weft::inline v0_1::pixart {

/// Writes the states of prompts that are words, from the first row on, and then zeros: to (text tokens,
/// images, features). What it takes meanwhile does not depend on the prompts, so that later ones find it.
template <class Backend>
void upload_words(typename Backend::Queue& queue, std::span<const PixArtPrompt> prompts,
                  const View<typename Backend::Element, 3>& to) {
  const auto [tokens, images, features] = to.extent;
  const typename Backend::template Buffer<float> zeros(queue, to.size());
  const View<float, 3> states = zeros.view(std::array{images, tokens, features});
  for (Index image = 0; holds_numbers<Backend> && image < images; ++image) {
    const PixArtPrompt& prompt = prompts[static_cast<std::size_t>(image)];
    Index row = 0;
    for (Range words = prompt.words(0); !words.empty(); words = prompt.words(words.end)) {
      const Range rows{row, row + words.size()};
      upload(queue, prompt.states.view<2>().slice<0>(words), states[image].slice<0>(rows));
      row = rows.end;
    }
  }
  copy(queue, View<const float, 3>(states.data, to.extent, {features, tokens * features, 1}), to);
}

/// A request's constants in a backend's memory, for the share of one rank.
template <class Backend>
class Conditioning {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// Allocates everything, for the share of one rank and `steps` steps.
  Conditioning(Queue& queue, const PixArtConfig& config, const Weights<Backend>& weights, const Share& share,
               Index steps)
      : config_(config),
        images_(share.images),
        steps_(steps),
        text_tokens_(share.text_tokens),
        blocks_(share.blocks),
        slots_(static_cast<std::size_t>(config.blocks), 0),
        positions_(constant<Backend, Element>(queue, share.rows.size() * images_ * config.width(),
                                              [this, &share] { return positions(share); })),
        modulations_(queue, vectors(), steps, images_, config.width()),
        words_(queue, images_) {
    for_each_block([this, &weights](Index i) {
      slots_[static_cast<std::size_t>(i)] = block_count_++;
      keys_values_ = weights.blocks[static_cast<std::size_t>(i)].text_kv.outputs();
    });
    text_ = {queue, block_count_ * text_tokens_ * images_ * keys_values_};
  }

  /// Computes the conditioning of prompts, as one batch, at `times` (steps, images).
  void fill(Queue& queue, const Weights<Backend>& weights, std::span<const PixArtPrompt> prompts,
            const Tensor& times) {
    embed_text(queue, weights, prompts);
    modulate(queue, weights, prompts, times);
  }

  /// Returns the positions of some rows of the share: (rows, images, width).
  View<const Element, 3> positions(Range rows) const {
    const Index width = config_.width();
    return positions_.view(std::array{positions_.size() / (images_ * width), images_, width})
        .template slice<0>(rows);
  }

  /// Returns the text keys of block i: (text tokens, images, heads, head_dim).
  View<const Element, 4> text_keys(Index i) const { return text_heads(i, 0); }
  /// Returns the text values of block i: (text tokens, images, heads, head_dim).
  View<const Element, 4> text_values(Index i) const { return text_heads(i, 1); }
  /// Returns the mask that hides the text tokens after an image's own words.
  KeyMask padding() const { return {.begin = words_.view(std::array{images_}), .end = text_tokens_}; }

  /// Returns the modulations: slot i is block i's, and the last one the last norm's.
  const Modulations<Backend>& modulations() const { return modulations_; }

 private:
  using Buffer = typename Backend::template Buffer<Element>;

  /// Calls body(i) for every block of the share.
  template <class Body>
  void for_each_block(Body body) const {
    for (const Range& range : blocks_)
      for (Index i = range.begin; i < range.end; ++i) body(i);
  }

  /// Returns how many vectors each slot of the modulations has; none of blocks that are not the share's.
  std::vector<Index> vectors() const {
    std::vector<Index> out(static_cast<std::size_t>(config_.blocks), 0);
    for_each_block([&out](Index i) { out[static_cast<std::size_t>(i)] = 6; });
    out.push_back(2);
    return out;
  }

  /// Returns the keys and values of block i: (text tokens, images, keys and values).
  View<Element, 3> keys_values(Index i) const {
    return text_.view(
        std::array{block_count_, text_tokens_, images_, keys_values_})[slots_[static_cast<std::size_t>(i)]];
  }
  View<const Element, 4> text_heads(Index i, Index part) const {
    const Index a = keys_values_ / 2;
    return keys_values(i).template slice<2>({part * a, (part + 1) * a}).unfold(config_.head_dim);
  }

  /// Projects the prompts' words and then zeros, and from them every block's keys and values.
  void embed_text(Queue& queue, const Weights<Backend>& weights, std::span<const PixArtPrompt> prompts) {
    const Index rows = text_tokens_ * images_, c = config_.width(), features = config_.text_width;
    Tensor words({images_});
    std::ranges::transform(prompts, words.data.begin(), [](const PixArtPrompt& prompt) {
      return static_cast<float>(prompt.word_count());
    });
    upload(queue, words, words_.view(std::array{images_}));
    const Buffer states(queue, rows * features);
    upload_words<Backend>(queue, prompts, states.view(std::array{text_tokens_, images_, features}));
    const Buffer projected(queue, rows * c);
    const View<Element, 2> text = projected.view(std::array{rows, c});
    apply<Backend>(queue, weights.shared.text, Activation::gelu_tanh,
                   View<const Element, 2>(states.view(std::array{rows, features})), text);
    for_each_block([this, &queue, &weights, &text](Index i) {
      linear(queue, text, weights.blocks[static_cast<std::size_t>(i)].text_kv, rows_of(keys_values(i)));
    });
  }

  /// Computes every block's table plus what the times give to all, and the last norm's plus the times' own
  /// embedding.
  void modulate(Queue& queue, const Weights<Backend>& weights, std::span<const PixArtPrompt> prompts,
                const Tensor& times) {
    const Index rows = steps_ * images_, c = config_.width();
    const Buffer embedding = embed_times(queue, weights, prompts, times);
    const View<const Element, 2> e(embedding.view(std::array{rows, c}));
    const Buffer x = activated<Backend>(queue, e);
    const typename Backend::template Buffer<float> memory(queue, rows * 6 * c);
    const View<float, 2> of_all_blocks = memory.view(std::array{rows, 6 * c});
    linear(queue, x.view(std::array{rows, c}), weights.shared.modulation, of_all_blocks);
    for_each_block([this, &queue, &weights, &of_all_blocks](Index i) {
      add_table(queue, of_all_blocks, weights.blocks[static_cast<std::size_t>(i)].table,
                modulations_.outputs(i));
    });
    const View<float, 2> last = modulations_.outputs(config_.blocks);
    copy(queue, View<const Element, 3>(e.data, {rows, 2, c}, {c, 0, 1}),
         View<float, 3>(last.data, {rows, 2, c}));
    add_table(queue, last, weights.shared.table, last);
  }

  /// Writes each row of x (rows, vectors · width) plus the table (vectors, width) to out, which may be x.
  static void add_table(Queue& queue, const View<float, 2>& x, const View<const float, 2>& table,
                        const View<float, 2>& out) {
    add(queue, x, View<const float, 2>(table.data, x.extent, {0, 1}), out);
  }

  /// Returns the embeddings (steps · images, width): of the times, and for α at 1024 px of the images' sizes.
  Buffer embed_times(Queue& queue, const Weights<Backend>& weights, std::span<const PixArtPrompt> prompts,
                     const Tensor& times) const {
    const Index rows = steps_ * images_, c = config_.width();
    Buffer out(queue, rows * c);
    if (config_.has_size) {
      const Buffer sizes = embed_sizes(queue, weights, prompts);
      copy(queue,
           View<const Element, 3>(sizes.view(std::array{sizes.size()}).data, {steps_, images_, c}, {0, c, 1}),
           out.view(std::array{steps_, images_, c}));
    }
    apply_to_sinusoids<Backend>(queue, weights.shared.time, times.data, out.view(std::array{rows, c}),
                                config_.has_size);
    return out;
  }

  /// Returns the embeddings (images, width): height, width and aspect ratio, a third of the features each.
  Buffer embed_sizes(Queue& queue, const Weights<Backend>& weights,
                     std::span<const PixArtPrompt> prompts) const {
    const Index third = config_.width() / 3;
    Buffer out(queue, images_ * 3 * third);
    const View<Element, 2> all = out.view(std::array{images_, 3 * third});
    std::array<std::vector<float>, 3> numbers;
    for (const PixArtPrompt& prompt : prompts) {
      numbers[0].push_back(prompt.resolution.data[0]);
      numbers[1].push_back(prompt.resolution.data[1]);
      numbers[2].push_back(prompt.aspect_ratio.data[0]);
    }
    for (Index part = 0; part < 3; ++part)
      apply_to_sinusoids<Backend>(queue, part < 2 ? weights.shared.resolution : weights.shared.aspect_ratio,
                                  numbers[static_cast<std::size_t>(part)],
                                  all.template slice<1>({part * third, (part + 1) * third}));
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
    Tensor out({share.rows.size(), images_, c});
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
          for (Index p = 0; p < images_; ++p) out.view<3>()[row][p][f] = value;
        }
      }
    return out;
  }

  PixArtConfig config_;
  Index images_, steps_, text_tokens_, block_count_ = 0;
  std::vector<Range> blocks_;  // of the share
  std::vector<Index> slots_;   // of every block of the share among these
  Index keys_values_ = 0;      // features of the text's keys and values that are here
  Buffer positions_;           // (image rows, images, width)
  Modulations<Backend> modulations_;
  Buffer text_;                                            // (blocks, text tokens, images, keys and values)
  typename Backend::template Buffer<std::int32_t> words_;  // (images): the first so many text tokens
};

}  // namespace weft::inline v0_1::pixart
