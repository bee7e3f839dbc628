// EncoderPass: one text's way through the layers of an encoder.
#pragma once

#include <algorithm>
#include <array>

#include "weft/backend/text_operators.hpp"
#include "weft/comm/row_sum.hpp"
#include "weft/core/tensor.hpp"
#include "weft/text/encoders/config.hpp"
#include "weft/text/encoders/weights.hpp"

namespace weft::inline v0_1::text {

/// The memory of a text and the work on it, of a slice of the layers' matrices: the members of a group have
/// one each, and sum what they make of it. What attention and feed-forwards add up is float32 for every
/// backend: T5's sums exceed half precision's range.
template <TextBackend Backend, Communicator Group>
class EncoderPass {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// `config` is that of the slice. Queries are all `tokens`, keys the first `keys` of them.
  EncoderPass(Queue& queue, Group& group, const EncoderConfig& config, const EncoderWeights<Element>& weights,
              Index tokens, Index keys)
      : queue_(queue),
        group_(group),
        config_(config),
        weights_(weights),
        tokens_(tokens),
        keys_(keys),
        stream_(queue, tokens * config.width),
        x_(queue, tokens * config.width),
        qkv_(queue, tokens * 3 * config.heads * config.head_dim),
        attended_(queue, tokens * config.heads * config.head_dim),
        hidden_(queue, tokens * config.inner * (config.is_gated ? 2 : 1)),
        sum_(queue, group, tokens, config.width) {}

  /// Begins with the sums of embeddings (tokens, width).
  void begin(const Tensor& embedded) {
    upload(queue_, embedded, stream());
    if (!config_.norms_first()) norm_stream(weights_.norm);
  }

  /// Runs layer `i`, with a bias of the scores (the slice's heads, 2 · tokens − 1), or none.
  void run(Index i, const View<const float, 2>& bias) {
    const auto span = queue_.span("text", "layer", i);
    const EncoderLayer<Element>& layer = weights_.layers[static_cast<std::size_t>(i)];
    prepare(layer.attention_norm);
    add_slices([this, &layer, &bias] { attend(layer, bias); });
    if (!config_.norms_first()) norm_stream(layer.attention_norm);
    prepare(layer.feed_forward_norm);
    add_slices([this, &layer] { feed_forward(layer); });
    if (!config_.norms_first()) norm_stream(layer.feed_forward_norm);
  }

  void end() {
    if (config_.norms_first()) norm_stream(weights_.norm);
  }

  /// Returns the states (tokens, width) that are there now.
  Tensor states() const { return download(queue_, stream()); }

  /// Returns CLIP's projection of a state (width).
  Tensor projected(const View<const float, 1>& state) const {
    Tensor row({1, state.size()});
    std::copy_n(state.data, state.size(), row.data.data());
    const typename Backend::template Buffer<float> sums(queue_, weights_.projection.outputs());
    const View<float, 2> out = sums.view(std::array{Index{1}, sums.size()});
    fill(queue_, 0.0f, out[0]);
    upload(queue_, row, x().template slice<0>({0, 1}));
    add_linear(queue_, x().template slice<0>({0, 1}), weights_.projection, out);
    return download(queue_, out[0]);
  }

 private:
  View<float, 2> stream() const { return stream_.view(std::array{tokens_, config_.width}); }
  View<Element, 2> x() const { return x_.view(std::array{tokens_, config_.width}); }

  /// Returns rows as those of one image, for norms.
  template <class T>
  static View<T, 3> as_image(const View<T, 2>& rows) {
    return {rows.data, {rows.extent[0], 1, rows.extent[1]}, {rows.stride[0], rows.stride[0], 1}};
  }

  void norm_stream(const NormWeights& weights) {
    norm(queue_, as_image(stream()), weights, {}, as_image(stream()));
  }

  /// Brings what the next linear layer reads to x.
  void prepare(const NormWeights& weights) {
    if (config_.norms_first())
      norm(queue_, as_image(stream()), weights, {}, as_image(x()));
    else
      copy(queue_, as_image(stream()), as_image(x()));
  }

  /// Adds to the stream what all slices add to it, this one by `add_own`. The first one's part of the sum has
  /// what was there.
  template <class AddOwn>
  void add_slices(const AddOwn& add_own) {
    if (group_.rank() > 0) fill(queue_, 0.0f, stream_.view(std::array{stream_.size()}));
    add_own();
    sum_(queue_, group_, stream());
  }

  void attend(const EncoderLayer<Element>& layer, const View<const float, 2>& bias) {
    if (config_.heads == 0) return;
    const Index features = config_.heads * config_.head_dim;
    const View<Element, 2> qkv = qkv_.view(std::array{tokens_, 3 * features}),
                           attended = attended_.view(std::array{tokens_, features});
    const auto part = [this, &qkv, features](Index i) {
      return qkv.template slice<1>({i * features, (i + 1) * features}).unfold(config_.head_dim);
    };
    const Range keys{0, keys_};
    linear(queue_, x(), layer.qkv, qkv);
    text_attention(queue_, part(0), part(1).template slice<0>(keys), part(2).template slice<0>(keys),
                   TextScores{config_.score_scale(), bias, config_.is_causal()},
                   attended.unfold(config_.head_dim));
    add_linear(queue_, attended, layer.out, stream());
  }

  void feed_forward(const EncoderLayer<Element>& layer) {
    const Index inner = config_.inner;
    if (inner == 0) return;
    const View<Element, 2> hidden = hidden_.view(std::array{tokens_, layer.up.outputs()}),
                           out = hidden.template slice<1>({0, inner});
    if (config_.is_gated) {
      linear(queue_, x(), layer.up, hidden);
      gated_unit(queue_, config_.activation, out, hidden.template slice<1>({inner, 2 * inner}), out);
    } else {
      linear(queue_, x(), layer.up, hidden, {.activation = config_.activation});
    }
    add_linear(queue_, out, layer.down, stream());
  }

  Queue& queue_;
  Group& group_;
  const EncoderConfig& config_;
  const EncoderWeights<Element>& weights_;
  Index tokens_, keys_;
  typename Backend::template Buffer<float> stream_;            // (tokens, width)
  typename Backend::template Buffer<Element> x_;               // (tokens, width)
  typename Backend::template Buffer<Element> qkv_, attended_;  // (tokens, 3 or 1 · heads · head_dim)
  typename Backend::template Buffer<Element> hidden_;          // (tokens, inner), the gate before it
  RowSum<Backend, float> sum_;
};

}  // namespace weft::inline v0_1::text
