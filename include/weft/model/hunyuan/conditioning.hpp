// What of HunyuanDiT is constant over a run: text keys and values of every block, modulations of every step.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "weft/model/dit.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/hunyuan/weights.hpp"
#include "weft/model/layers.hpp"
#include "weft/model/rotary.hpp"

namespace weft::hunyuan {

template <class Backend>
class Conditioning {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// For the prompts side by side, told `times` (steps, pictures), and for the share of one rank.
  Conditioning(Queue& queue, const HunyuanConfig& config, const Weights<Backend>& weights,
               std::span<const HunyuanPrompt> prompts, const Tensor& times, const Share& share)
      : config_(config), pictures_(share.pictures), steps_(times.shape[0]), slots_(slots(config, share)) {
    rotate(queue, share);
    attend_to_text(queue, weights, prompts, share);
    modulate(queue, weights, embed_times(queue, weights, prompts, times), share);
  }

  /// The keys and values that block i reads of the text: (text_length, pictures, heads, head_dim).
  View<const Element, 4> text_keys(Index i) const { return text_heads(i, 0); }
  View<const Element, 4> text_values(Index i) const { return text_heads(i, 1); }

  /// Of block i's first norm at a step.
  Modulation shift(Index i, Step step) const {
    const Index block = slots_[static_cast<std::size_t>(i)];
    const View<float, 4> all = shifts_.view(std::array{block_count(), steps_, pictures_, config_.width()});
    return {.shift = all[block], .step = step};
  }

  /// Of the last norm at a step.
  Modulation last(Step step) const {
    const View<float, 3> both = last_.view(std::array{steps_, pictures_, 2 * config_.width()});
    return {.scale = both.template slice<2>({0, config_.width()}),
            .shift = both.template slice<2>({config_.width(), 2 * config_.width()}),
            .step = step};
  }

  /// Of rows of the share.
  Rotation rotation(Range rows) const { return Rotation{cos_view(), sin_view()}.rows(rows); }

  /// The embedding of a step's time, text and size, before its SiLU: (pictures, width).
  Tensor time_embedding(Queue& queue, Index step) const {
    return download(queue, temb_.view(std::array{steps_, pictures_, config_.width()})[step]);
  }

 private:
  using Buffer = typename Backend::template Buffer<Element>;
  using Floats = typename Backend::template Buffer<float>;

  /// For every block of the model, its place among those of the share, or −1.
  static std::vector<Index> slots(const HunyuanConfig& config, const Share& share) {
    std::vector<Index> out(static_cast<std::size_t>(config.blocks), -1);
    Index next = 0;
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i) out[static_cast<std::size_t>(i)] = next++;
    return out;
  }
  Index block_count() const { return *std::max_element(slots_.begin(), slots_.end()) + 1; }

  View<const Element, 4> text_heads(Index i, Index part) const {
    const Index c = config_.width();
    const View<Element, 4> all =
        text_.view(std::array{block_count(), config_.text_length(), pictures_, 2 * c});
    return all[slots_[static_cast<std::size_t>(i)]]
        .template slice<2>({part * c, (part + 1) * c})
        .unfold(config_.head_dim);
  }

  View<float, 2> cos_view() const { return cos_.view(std::array{rows_, config_.head_dim}); }
  View<float, 2> sin_view() const { return sin_.view(std::array{rows_, config_.head_dim}); }

  void rotate(Queue& queue, const Share& share) {
    const Rotary rotary(share.picture.rows(), share.picture.columns(), config_.rope_base, config_.head_dim);
    rows_ = share.rows.size();
    Tensor cos({rows_, config_.head_dim}), sin({rows_, config_.head_dim});
    Index row = 0;
    for (Index m = 0; m < share.rows.patches(); ++m)
      for (Index token = share.rows.tokens(m).begin; token < share.rows.tokens(m).end; ++token, ++row)
        for (Index d = 0; d < config_.head_dim; ++d) {
          cos.view<2>()[row][d] = rotary([](float x) { return std::cos(x); }, token, d);
          sin.view<2>()[row][d] = rotary([](float x) { return std::sin(x); }, token, d);
        }
    cos_ = constant<Backend>(queue, cos);
    sin_ = constant<Backend>(queue, sin);
  }

  /// The text states (text_length, pictures, clip_width): CLIP's, then T5's after its MLP; learned padding
  /// where a mask is 0. Then every block's keys, after their norm, and values.
  void attend_to_text(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts,
                      const Share& share) {
    const Index length = config_.text_length(), c = config_.clip_width, width = config_.width();
    Tensor t5({config_.t5_length, pictures_, config_.t5_width});
    for (Index p = 0; p < pictures_; ++p)
      for (Index i = 0; i < config_.t5_length; ++i)
        std::copy_n(prompts[static_cast<std::size_t>(p)].t5.template view<2>()[i].data, config_.t5_width,
                    t5.view<3>()[i][p].data);
    const Buffer t5_states = constant<Backend, Element>(queue, t5);
    const Index t5_rows = config_.t5_length * pictures_;
    const Buffer hidden(queue, t5_rows * weights.text_1.outputs()), projected(queue, t5_rows * c);
    const auto hidden_rows = hidden.view(std::array{t5_rows, weights.text_1.outputs()});
    linear(queue, t5_states.view(std::array{t5_rows, config_.t5_width}), weights.text_1, hidden_rows,
           {Activation::silu, {}});
    linear(queue, hidden_rows, weights.text_2, projected.view(std::array{t5_rows, c}));

    Tensor states({length, pictures_, c});
    const Tensor padding = download(queue, weights.text_padding);
    const Tensor from_t5 = download(queue, projected.view(std::array{config_.t5_length, pictures_, c}));
    for (Index p = 0; p < pictures_; ++p) {
      const HunyuanPrompt& prompt = prompts[static_cast<std::size_t>(p)];
      for (Index i = 0; i < length; ++i) {
        const Index j = i - config_.clip_length;  // of T5
        const bool is_clip = j < 0;
        const float mask = is_clip ? prompt.clip_mask.view<1>()[i] : prompt.t5_mask.view<1>()[j];
        const View<const float, 1> state = mask == 0 ? padding.view<2>()[i]
                                           : is_clip ? prompt.clip.view<2>()[i]
                                                     : from_t5.view<3>()[j][p];
        std::copy_n(state.data, c, states.view<3>()[i][p].data);
      }
    }

    const Buffer text = constant<Backend, Element>(queue, states);
    text_ = {queue, block_count() * length * pictures_ * 2 * width};
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i) {
        const Attention<Backend>& attention = weights.blocks[static_cast<std::size_t>(i)].text;
        const View<Element, 3> kv = text_
                                        .view(std::array{block_count(), length * pictures_,
                                                         2 * width})[slots_[static_cast<std::size_t>(i)]]
                                        .unfold(2 * width);
        linear(queue, text.view(std::array{length * pictures_, c}), attention.kv, rows_of(kv));
        const View<Element, 4> keys =
            View<Element, 3>(kv.data, {length, pictures_, width}, {pictures_ * 2 * width, 2 * width, 1})
                .unfold(config_.head_dim);
        norm_rotate(queue, keys, &attention.k_norm, {}, keys);
      }
  }

  /// (steps, pictures, width): MLP of the time's sinusoids plus MLP of [pooled text, size, style].
  const Buffer& embed_times(Queue& queue, const Weights<Backend>& weights,
                            std::span<const HunyuanPrompt> prompts, const Tensor& times) {
    const Index c = config_.width(), rows = steps_ * pictures_;
    const Buffer sinusoids = constant<Backend, Element>(queue, sinusoids_of(times.data));
    const Buffer extra = embed_extra(queue, weights, prompts);  // (pictures, width)
    const Buffer hidden(queue, rows * c);
    temb_ = {queue, rows * c};
    for (Index step = 0; step < steps_; ++step)
      copy(queue, extra.view(std::array{pictures_, c}), temb_.view(std::array{steps_, pictures_, c})[step]);
    const View<Element, 2> h = hidden.view(std::array{rows, c}), out = temb_.view(std::array{rows, c});
    linear(queue, sinusoids.view(std::array{rows, HunyuanConfig::sinusoids}), weights.time_1, h,
           {Activation::silu, {}});
    linear(queue, h, weights.time_2, out, {Activation::none, out});
    return temb_;
  }

  Buffer embed_extra(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts) {
    const Tensor pooled = pool(queue, weights, prompts);  // (pictures, pooled_width)
    const Tensor style = download(queue, weights.style);
    Tensor extra({pictures_, weights.extra_1.inputs()});
    for (Index p = 0; p < pictures_; ++p) {
      const auto row = extra.view<2>()[p];
      float* out = std::copy_n(pooled.view<2>()[p].data, config_.pooled_width, row.data);
      if (!config_.size_and_style) continue;
      const HunyuanPrompt& prompt = prompts[static_cast<std::size_t>(p)];
      const Tensor size = sinusoids_of(prompt.size.data);
      out = std::copy(size.data.begin(), size.data.end(), out);
      std::copy_n(style.view<2>()[prompt.style].data, config_.width(), out);
    }
    const Index c = config_.width();
    const Buffer in = constant<Backend, Element>(queue, extra);
    const Buffer hidden(queue, pictures_ * weights.extra_1.outputs());
    Buffer out(queue, pictures_ * c);
    const auto h = hidden.view(std::array{pictures_, weights.extra_1.outputs()});
    linear(queue, in.view(std::array{pictures_, weights.extra_1.inputs()}), weights.extra_1, h,
           {Activation::silu, {}});
    linear(queue, h, weights.extra_2, out.view(std::array{pictures_, c}));
    return out;
  }

  /// Attention pooling of the T5 states, all of them: the mean asks, mean and states answer.
  Tensor pool(Queue& queue, const Weights<Backend>& weights, std::span<const HunyuanPrompt> prompts) {
    const Index length = config_.t5_length + 1, d = config_.t5_width,
                head_dim = d / HunyuanConfig::pooler_heads;
    const Tensor positions = download(queue, weights.pool_positions);
    Tensor states({length, pictures_, d});
    for (Index p = 0; p < pictures_; ++p) {
      const View<const float, 2> t5 = prompts[static_cast<std::size_t>(p)].t5.template view<2>();
      for (Index f = 0; f < d; ++f) {
        float sum = 0;
        for (Index i = 0; i < config_.t5_length; ++i) sum += t5[i][f];
        for (Index i = 0; i < length; ++i)
          states.view<3>()[i][p][f] = (i == 0 ? sum / static_cast<float>(config_.t5_length) : t5[i - 1][f]) +
                                      positions.view<2>()[i][f];
      }
    }
    const Buffer x = constant<Backend, Element>(queue, states);
    const View<Element, 2> rows = x.view(std::array{length * pictures_, d});
    const auto projected = [&queue](const View<const Element, 2>& in, const LinearWeights<Element>& layer) {
      Buffer out(queue, in.extent[0] * layer.outputs());
      linear(queue, in, layer, out.view(std::array{in.extent[0], layer.outputs()}));
      return out;
    };
    const auto heads = [this, head_dim](const Buffer& buffer, Index tokens) {
      return buffer.view(std::array{tokens, pictures_, HunyuanConfig::pooler_heads, head_dim});
    };
    const Buffer q = projected(rows.template slice<0>({0, pictures_}), weights.pool_q);
    const Buffer k = projected(rows, weights.pool_k), v = projected(rows, weights.pool_v);
    const Buffer attended(queue, pictures_ * d);
    attention(queue, heads(q, 1), heads(k, length), heads(v, length), heads(attended, 1));
    const Buffer pooled = projected(attended.view(std::array{pictures_, d}), weights.pool_out);
    return download(queue, pooled.view(std::array{pictures_, config_.pooled_width}));
  }

  /// The linear layers of SiLU(embedding) for all steps.
  void modulate(Queue& queue, const Weights<Backend>& weights, const Buffer& embedding, const Share& share) {
    const Index c = config_.width(), rows = steps_ * pictures_;
    const Buffer activated(queue, rows * c);
    const View<Element, 2> x = activated.view(std::array{rows, c});
    copy(queue, embedding.view(std::array{rows, c}), x);
    activate(queue, Activation::silu, x);
    shifts_ = {queue, block_count() * rows * c};
    last_ = {queue, rows * 2 * c};
    for (const Range& range : share.blocks)
      for (Index i = range.begin; i < range.end; ++i)
        linear(queue, x, weights.blocks[static_cast<std::size_t>(i)].shift,
               shifts_.view(std::array{block_count(), rows, c})[slots_[static_cast<std::size_t>(i)]]);
    linear(queue, x, weights.norm_out, last_.view(std::array{rows, 2 * c}));
  }

  /// (numbers, 256): cosines, then sines, of each number at falling frequencies.
  static Tensor sinusoids_of(const std::vector<float>& numbers) {
    constexpr Index half = HunyuanConfig::sinusoids / 2;
    Tensor out({static_cast<Index>(numbers.size()), 2 * half});
    for (std::size_t n = 0; n < numbers.size(); ++n)
      for (Index i = 0; i < half; ++i) {
        const float exponent = -std::log(10000.0f) * static_cast<float>(i) / static_cast<float>(half);
        const float angle = numbers[n] * std::exp(exponent);
        const auto row = out.view<2>()[static_cast<Index>(n)];
        row[i] = std::cos(angle), row[half + i] = std::sin(angle);
      }
    return out;
  }

  HunyuanConfig config_;
  Index pictures_, steps_, rows_ = 0;
  std::vector<Index> slots_;
  Floats cos_, sin_;  // (rows, head_dim)
  Buffer text_;       // (blocks, text_length, pictures, 2 · width)
  Buffer temb_;       // (steps, pictures, width)
  Floats shifts_;     // (blocks, steps, pictures, width)
  Floats last_;       // (steps, pictures, 2 · width): scale, shift
};

}  // namespace weft::hunyuan
