// The constants of a request to HunyuanDiT: text keys and values of every block, modulations of every step.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "weft/model/dit.hpp"
#include "weft/model/embeddings.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/hunyuan/weights.hpp"
#include "weft/model/layers.hpp"
#include "weft/model/rotary.hpp"

namespace weft::inline v0_1::hunyuan {

/// A request's constants in a backend's memory, for the share of one rank.
template <class Backend>
class Conditioning {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// Allocates everything, for the share of one rank and `steps` steps.
  Conditioning(Queue& queue, const HunyuanConfig& config, const Weights<Backend>& weights, const Share& share,
               Index steps)
      : config_(config),
        images_(share.images),
        steps_(steps),
        blocks_(share.blocks),
        slots_(slots(config, share)),
        pool_positions_(holds_numbers<Backend> ? download(queue, weights.pool_positions) : Tensor()),
        keys_values_(keys_values(weights, share)),
        text_(queue, block_count() * config.text_length() * images_ * keys_values_),
        temb_(queue, steps * images_ * config.width()),
        shifts_(queue, block_count() * steps * images_ * config.width()),
        last_(queue, steps * images_ * 2 * config.width()) {
    rotate(queue, share);
  }

  /// Computes the conditioning of prompts, as one batch, at `times` (steps, images).
  void fill(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts,
            const Tensor& times) {
    attend_to_text(queue, weights, prompts);
    embed_times(queue, weights, prompts, times);
    modulate(queue, weights);
  }

  /// Returns the text keys of block i: (text_length, images, heads, head_dim).
  View<const Element, 4> text_keys(Index i) const { return text_heads(i, 0); }
  /// Returns the text values of block i: (text_length, images, heads, head_dim).
  View<const Element, 4> text_values(Index i) const { return text_heads(i, 1); }

  /// Returns the modulation of block i's first norm at a step.
  Modulation shift(Index i, Step step) const {
    const Index block = slots_[static_cast<std::size_t>(i)];
    const View<float, 4> all = shifts_.view(std::array{block_count(), steps_, images_, config_.width()});
    return {.shift = all[block], .step = step};
  }

  /// Returns the modulation of the last norm at a step.
  Modulation last(Step step) const {
    const View<float, 3> both = last_.view(std::array{steps_, images_, 2 * config_.width()});
    return {.scale = both.template slice<2>({0, config_.width()}),
            .shift = both.template slice<2>({config_.width(), 2 * config_.width()}),
            .step = step};
  }

  /// Returns the rotation of some rows of the share.
  Rotation rotation(Range rows) const { return Rotation{cos_view(), sin_view()}.rows(rows); }

  /// Returns the embedding of a step's time, text and size, before its SiLU: (images, width).
  Tensor time_embedding(Queue& queue, Index step) const {
    return download(queue, temb_.view(std::array{steps_, images_, config_.width()})[step]);
  }

 private:
  using Buffer = typename Backend::template Buffer<Element>;
  using Floats = typename Backend::template Buffer<float>;

  /// Returns, for every block of the model, its index among those of the share, or −1.
  static std::vector<Index> slots(const HunyuanConfig& config, const Share& share) {
    std::vector<Index> out(static_cast<std::size_t>(config.blocks), -1);
    Index next = 0;
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i) out[static_cast<std::size_t>(i)] = next++;
    return out;
  }
  /// Returns the features of the text's keys and values that are here.
  static Index keys_values(const Weights<Backend>& weights, const Share& share) {
    Index out = 0;
    for (const Range& range : share.blocks)
      if (!range.empty()) out = weights.blocks[static_cast<std::size_t>(range.begin)].text.kv.outputs();
    return out;
  }
  Index block_count() const { return *std::max_element(slots_.begin(), slots_.end()) + 1; }

  /// Calls body(i, slot) for every block of the share.
  template <class Body>
  void for_each_block(Body body) const {
    for (const Range& range : blocks_)
      for (Index i = range.begin; i < range.end; ++i) body(i, slots_[static_cast<std::size_t>(i)]);
  }

  /// Returns the part of x (rows, images, features) that is one image's: (rows, 1, features).
  View<const Element, 4> text_heads(Index i, Index part) const {
    const Index a = keys_values_ / 2;
    const View<Element, 4> all =
        text_.view(std::array{block_count(), config_.text_length(), images_, keys_values_});
    return all[slots_[static_cast<std::size_t>(i)]]
        .template slice<2>({part * a, (part + 1) * a})
        .unfold(config_.head_dim);
  }

  View<float, 2> cos_view() const { return cos_.view(std::array{rows_, config_.head_dim}); }
  View<float, 2> sin_view() const { return sin_.view(std::array{rows_, config_.head_dim}); }

  /// Uploads the rotation of the share's rows.
  void rotate(Queue& queue, const Share& share) {
    rows_ = share.rows.size();
    const auto table = [this, &queue, &share](float (Rotary::*turn)(Index token, Index d) const) {
      return constant<Backend>(queue, rows_ * config_.head_dim, [this, &share, turn] {
        const Rotary rotary(share.image.rows(), share.image.columns(), config_.rope_base, config_.head_dim);
        Tensor out({rows_, config_.head_dim});
        float* next = out.data.data();
        for (Index m = 0; m < share.rows.patches(); ++m)
          for (Index token = share.rows.tokens(m).begin; token < share.rows.tokens(m).end; ++token)
            for (Index d = 0; d < config_.head_dim; ++d) *next++ = (rotary.*turn)(token, d);
        return out;
      });
    };
    cos_ = table(&Rotary::cos);
    sin_ = table(&Rotary::sin);
  }

  /// Computes the text states (text_length, images, clip_width), CLIP's, then T5's after its MLP, with
  /// learned padding where a mask is 0; from them every block's keys, normed, and values.
  void attend_to_text(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts) {
    const Index length = config_.text_length(), c = config_.clip_width;
    const Index t5_rows = config_.t5_length * images_, hidden_width = weights.text_1.outputs();
    const Buffer text(queue, length * images_ * c), t5(queue, t5_rows * config_.t5_width),
        hidden(queue, t5_rows * hidden_width);
    const View<Element, 3> states = text.view(std::array{length, images_, c});
    const View<Element, 3> from_clip = states.template slice<0>({0, config_.clip_length});
    const View<Element, 3> from_t5 = states.template slice<0>({config_.clip_length, length});
    const View<Element, 3> t5_states = t5.view(std::array{config_.t5_length, images_, config_.t5_width});
    for (Index image = 0; image < images_; ++image) {
      const HunyuanPrompt& prompt = prompts[static_cast<std::size_t>(image)];
      upload(queue, prompt.clip, of_image(from_clip, image));
      upload(queue, prompt.t5, of_image(t5_states, image));
    }
    const View<Element, 2> hidden_rows = hidden.view(std::array{t5_rows, hidden_width});
    linear(queue, rows_of(t5_states), weights.text_1, hidden_rows, {Activation::silu, {}});
    linear(queue, hidden_rows, weights.text_2, rows_of(from_t5));
    for (Index image = 0; image < images_; ++image)
      pad(queue, weights.text_padding, prompts[static_cast<std::size_t>(image)], of_image(states, image));

    for_each_block([this, &queue, &weights, &states, length](Index i, Index slot) {
      const Attention<Backend>& attention = weights.blocks[static_cast<std::size_t>(i)].text;
      const View<Element, 3> kv = text_.view(std::array{block_count(), length, images_, keys_values_})[slot];
      linear(queue, rows_of(states), attention.kv, rows_of(kv));
      const View<Element, 4> keys = kv.template slice<2>({0, keys_values_ / 2}).unfold(config_.head_dim);
      norm_rotate(queue, keys, &attention.k_norm, {}, keys);
    });
  }

  /// Copies padding (text_length, clip_width) to the states (text_length, 1, clip_width) whose mask is 0.
  void pad(Queue& queue, const View<const float, 2>& padding, const HunyuanPrompt& prompt,
           const View<Element, 3>& states) {
    const auto is_padding = [this, &prompt](Index i) {
      const Index j = i - config_.clip_length;  // of T5
      return (j < 0 ? prompt.clip_mask.template view<1>()[i] : prompt.t5_mask.template view<1>()[j]) == 0;
    };
    for (Index begin = 0, end = 0; begin < states.extent[0]; begin = end + 1) {
      for (end = begin; end < states.extent[0] && is_padding(end);) ++end;
      if (end == begin) continue;
      copy(queue, View<const float, 3>(padding[begin].data, {end - begin, 1, padding.extent[1]}),
           states.template slice<0>({begin, end}));
    }
  }

  /// Computes the MLP of the times' sinusoids plus the MLP of [pooled text, size, style]: (steps, images,
  /// width).
  void embed_times(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts,
                   const Tensor& times) {
    const Index c = config_.width(), rows = steps_ * images_;
    const Buffer of_times = constant<Backend, Element>(queue, times.size() * HunyuanConfig::sinusoids,
                                                       [&times] { return sinusoids(times.data); });
    const Buffer extra = embed_extra(queue, weights, prompts);  // (images, width)
    const Buffer hidden(queue, rows * c);
    const View<const Element, 3> of_all_steps(extra.view(std::array{extra.size()}).data, {steps_, images_, c},
                                              {0, c, 1});
    copy(queue, of_all_steps, temb_.view(std::array{steps_, images_, c}));
    const View<Element, 2> h = hidden.view(std::array{rows, c}), out = temb_.view(std::array{rows, c});
    linear(queue, of_times.view(std::array{rows, HunyuanConfig::sinusoids}), weights.time_1, h,
           {Activation::silu, {}});
    linear(queue, h, weights.time_2, out, {Activation::none, out});
  }

  /// Returns the MLP of [pooled text, size, style]: (images, width).
  Buffer embed_extra(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts) {
    const Index c = config_.width(), inputs = weights.extra_1.inputs(), pooled = config_.pooled_width;
    const Buffer extra(queue, images_ * inputs), hidden(queue, images_ * weights.extra_1.outputs());
    const View<Element, 2> in = extra.view(std::array{images_, inputs});
    const Buffer text = pool(queue, weights, prompts);  // (images, pooled_width)
    copy(queue, text.view(std::array{images_, pooled}), in.template slice<1>({0, pooled}));
    for (Index image = 0; image < images_ && config_.size_and_style; ++image) {
      const HunyuanPrompt& prompt = prompts[static_cast<std::size_t>(image)];
      const View<Element, 2> own = in.template slice<0>({image, image + 1});
      upload(queue, sinusoids(prompt.size.data), own.template slice<1>({pooled, inputs - c}));
      copy(queue, weights.style.template slice<0>({prompt.style, prompt.style + 1}),
           own.template slice<1>({inputs - c, inputs}));
    }
    Buffer out(queue, images_ * c);
    const View<Element, 2> h = hidden.view(std::array{images_, weights.extra_1.outputs()});
    linear(queue, in, weights.extra_1, h, {Activation::silu, {}});
    linear(queue, h, weights.extra_2, out.view(std::array{images_, c}));
    return out;
  }

  /// Returns the attention pooling of all T5 states, padding too: (images, pooled_width). The query is their
  /// mean, keys and values are the mean and the states.
  Buffer pool(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts) {
    const Index length = config_.t5_length + 1, d = config_.t5_width,
                head_dim = d / HunyuanConfig::pooler_heads;
    const Buffer x(queue, length * images_ * d);
    const View<Element, 3> states = x.view(std::array{length, images_, d});
    for (Index image = 0; holds_numbers<Backend> && image < images_; ++image)
      upload(queue, placed_states(prompts[static_cast<std::size_t>(image)].t5), of_image(states, image));
    const auto projected = [&queue](const View<const Element, 2>& in, const LinearWeights<Element>& layer) {
      Buffer out(queue, in.extent[0] * layer.outputs());
      linear(queue, in, layer, out.view(std::array{in.extent[0], layer.outputs()}));
      return out;
    };
    const auto heads = [this, head_dim](const Buffer& buffer, Index tokens) {
      return buffer.view(std::array{tokens, images_, HunyuanConfig::pooler_heads, head_dim});
    };
    const Buffer q = projected(rows_of(states.template slice<0>({0, 1})), weights.pool_q);
    const Buffer k = projected(rows_of(states), weights.pool_k);
    const Buffer v = projected(rows_of(states), weights.pool_v);
    const Buffer attended(queue, images_ * d);
    attention(queue, heads(q, 1), heads(k, length), heads(v, length), heads(attended, 1));
    return projected(attended.view(std::array{images_, d}), weights.pool_out);
  }

  /// Returns the mean of the states (t5_length, t5_width), then the states, each plus its position:
  /// (t5_length + 1, t5_width).
  Tensor placed_states(const Tensor& t5) const {
    Tensor out = pool_positions_;
    std::vector<float> sum(static_cast<std::size_t>(config_.t5_width));
    for (Index i = 0; i < config_.t5_length; ++i) {
      const float* const state = t5.view<2>()[i].data;
      float* const placed = out.view<2>()[i + 1].data;
      for (std::size_t f = 0; f < sum.size(); ++f) {
        sum[f] += state[f];
        placed[f] += state[f];
      }
    }
    for (std::size_t f = 0; f < sum.size(); ++f)
      out.data[f] += sum[f] / static_cast<float>(config_.t5_length);
    return out;
  }

  /// Computes the modulations of all steps: linear layers of SiLU(embedding).
  void modulate(Queue& queue, const Weights<Backend>& weights) {
    const Index c = config_.width(), rows = steps_ * images_;
    const Buffer activated(queue, rows * c);
    const View<Element, 2> x = activated.view(std::array{rows, c});
    copy(queue, temb_.view(std::array{rows, c}), x);
    activate(queue, Activation::silu, x);
    for_each_block([this, &queue, &weights, &x, rows, c](Index i, Index slot) {
      linear(queue, x, weights.blocks[static_cast<std::size_t>(i)].shift,
             shifts_.view(std::array{block_count(), rows, c})[slot]);
    });
    linear(queue, x, weights.norm_out, last_.view(std::array{rows, 2 * c}));
  }

  HunyuanConfig config_;
  Index images_, steps_, rows_ = 0;
  std::vector<Range> blocks_;  // of the share
  std::vector<Index> slots_;
  Tensor pool_positions_;  // (t5_length + 1, t5_width)
  Index keys_values_;      // features of the text's keys and values that are here
  Floats cos_, sin_;       // (rows, head_dim)
  Buffer text_;            // (blocks, text_length, images, keys and values)
  Buffer temb_;            // (steps, images, width)
  Floats shifts_;          // (blocks, steps, images, width)
  Floats last_;            // (steps, images, 2 · width): scale, shift
};

}  // namespace weft::inline v0_1::hunyuan
