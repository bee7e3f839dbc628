// HunyuanDiT's weights in a backend's memory, by diffusers' names.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/backend/arena.hpp"
#include "weft/backend/operators.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/weight_source.hpp"

namespace weft::inline v0_1::hunyuan {

/// A linear layer over a block's tokens.
template <class Backend>
using BlockLinear = LinearWeights<typename Backend::Element, typename Backend::Operand>;

/// The weights of self-attention, which has `qkv`, or of cross-attention to the text, which has `q` and `kv`.
template <class Backend>
struct Attention {
  BlockLinear<Backend> qkv;
  BlockLinear<Backend> q;
  LinearWeights<typename Backend::Element> kv;
  BlockLinear<Backend> out;
  NormWeights q_norm, k_norm;
};

/// The weights of a transformer block.
template <class Backend>
struct Block {
  NormWeights norm1, norm2, norm3;
  LinearWeights<typename Backend::Element> shift;  // modulation of norm1
  Attention<Backend> self, text;
  BlockLinear<Backend> up, down;  // feed-forward
  NormWeights skip_norm;
  BlockLinear<Backend> skip;  // of blocks that read a long skip
};

/// The weights of a model, or of some of its blocks, in one buffer.
template <class Backend, class Element = typename Backend::Element>
struct Weights {
  LinearWeights<Element> embed, proj_out;  // token features are (channel, row, column)
  LinearWeights<Element> norm_out;
  LinearWeights<Element> text_1, text_2;
  LinearWeights<Element> time_1, time_2;
  LinearWeights<Element> extra_1, extra_2;
  LinearWeights<Element> pool_q, pool_k, pool_v, pool_out;
  View<const float, 2> text_padding;                      // (text_length, clip_width)
  View<const float, 2> pool_positions;                    // (t5_length + 1, t5_width)
  View<const float, 2> style{};                           // (1, width), v1.1 only
  std::vector<Block<Backend>> blocks;                     // empty where not loaded
  typename Backend::template Buffer<std::byte> memory{};  // of all weights
  std::vector<Range>
      sections{};  // in bytes of `memory`: outside of blocks, then each block; empty: not loaded

  bool has_section(std::size_t i) const { return !sections[i].empty(); }
};

/// A reader that loads weights into a backend's memory once: it measures them first, then places and fills
/// them.
template <class Backend, WeightSource Source>
class WeightReader {
 public:
  using Others = std::vector<const Weights<Backend>*>;
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  WeightReader(Queue& queue, const HunyuanConfig& config, const Source& source)
      : queue_(queue), loader_(queue), config_(config), source_(source), tensors_(config.tensors()) {}

  /// Reads the weights outside of blocks and those of blocks `wanted`. Those that one of `others` has, which
  /// must be of the same settings and may be on any device, are copied from there.
  [[nodiscard]] Weights<Backend> read(const std::vector<Range>& wanted, const Others& others = {}) {
    others_ = others;
    place(wanted);  // measures
    memory_.allocate(queue_);
    if (narrows) wide_.allocate(queue_);
    Weights<Backend> out = place(wanted);
    loader_.finish();
    if constexpr (narrows) {
      for (const Narrowing& layer : narrowings_) narrow_weights(queue_, layer.from, layer.to, layer.scale);
      queue_.synchronize();  // before the wide weights are freed
    }
    out.memory = memory_.release();
    for (const Copy& copied : copies_)
      copy_bytes(queue_, bytes_of(*copied.other, copied.from), bytes_of(out, copied.to));
    return out;
  }

 private:
  using Operand = typename Backend::Operand;
  using Linear = LinearWeights<Element>;
  static constexpr bool narrows = !std::is_same_v<Operand, Element>;

  /// A conversion of loaded weights to the operands of blocks' linear layers.
  struct Narrowing {
    View<const Element, 2> from;
    View<Operand, 2> to;
    View<float, 1> scale;
  };

  /// A copy of a section from another model.
  struct Copy {
    const Weights<Backend>* other;
    Range from, to;  // bytes
  };

  /// Takes memory for all weights, and fills it once the arena is allocated.
  Weights<Backend> place(const std::vector<Range>& wanted) {
    std::vector<Range> sections(static_cast<std::size_t>(config_.blocks) + 1);
    Weights<Backend> out = section(sections, 0, [this] { return shared(); });
    for (const Range& range : wanted)
      for (Index i = range.begin; i < range.end; ++i)
        out.blocks[static_cast<std::size_t>(i)] =
            section(sections, static_cast<std::size_t>(i) + 1, [this, i] { return block(i); });
    out.sections = std::move(sections);
    return out;
  }

  /// Returns placed(), the weights of a section: filled from the source, or copied from another model that
  /// has them.
  template <class Placed>
  auto section(std::vector<Range>& sections, std::size_t number, const Placed& placed) {
    const auto other = std::find_if(others_.begin(), others_.end(),
                                    [number](const auto* weights) { return weights->has_section(number); });
    is_copied_ = other != others_.end();
    const Index begin = memory_.used();
    auto out = placed();
    sections[number] = {begin, memory_.used()};
    if (is_copied_ && has_memory()) {
      const Range from = (*other)->sections[number];
      if (from.size() != sections[number].size())
        throw std::logic_error("weights are to be copied from a model of other settings");
      copies_.push_back({*other, from, sections[number]});
    }
    is_copied_ = false;
    return out;
  }

  static View<std::byte, 1> bytes_of(const Weights<Backend>& weights, Range range) {
    return {weights.memory.view(std::array{weights.memory.size()}).data + range.begin, {range.size()}};
  }

  Weights<Backend> shared() {
    Weights<Backend> out{
        .embed = linear("pos_embed.proj"),
        .proj_out = channel_major("proj_out"),
        .norm_out = linear("norm_out.linear"),
        .text_1 = linear("text_embedder.linear_1"),
        .text_2 = linear("text_embedder.linear_2"),
        .time_1 = linear("time_extra_emb.timestep_embedder.linear_1"),
        .time_2 = linear("time_extra_emb.timestep_embedder.linear_2"),
        .extra_1 = linear("time_extra_emb.extra_embedder.linear_1"),
        .extra_2 = linear("time_extra_emb.extra_embedder.linear_2"),
        .pool_q = linear("time_extra_emb.pooler.q_proj"),
        .pool_k = linear("time_extra_emb.pooler.k_proj"),
        .pool_v = linear("time_extra_emb.pooler.v_proj"),
        .pool_out = linear("time_extra_emb.pooler.c_proj"),
        .text_padding = table("text_embedding_padding"),
        .pool_positions = table("time_extra_emb.pooler.positional_embedding"),
        .blocks = std::vector<Block<Backend>>(static_cast<std::size_t>(config_.blocks)),
    };
    if (config_.size_and_style) out.style = table("time_extra_emb.style_embedder.weight");
    return out;
  }

  template <class T, std::size_t Rank>
  View<T, static_cast<int>(Rank)> take(const std::array<Index, Rank>& extents) {
    return memory_.template take<T>(extents);
  }
  bool has_memory() const { return memory_.is_allocated(); }

  /// Fills `to` with a tensor's numbers, in row-major order.
  template <class T>
  void fill(const std::string& name, const View<T, 3>& to) {
    if (has_memory() && !is_copied_) loader_.fill(source_.get(name, tensors_.at(name)), to);
  }
  template <class T>
  void fill(const std::string& name, const View<T, 2>& to) {
    fill(name, View<T, 3>(to.data, {1, to.extent[0], to.extent[1]}, {0, to.stride[0], 1}));
  }
  template <class T>
  void fill(const std::string& name, const View<T, 1>& to) {
    fill(name, View<T, 3>(to.data, {1, 1, to.extent[0]}));
  }

  View<const float, 2> table(const std::string& name) {
    const Shape& shape = tensors_.at(name);
    const auto out = take<float>(std::array{shape[0], shape[1]});
    fill(name, out);
    return out;
  }

  NormWeights norm(const std::string& name) {
    const auto features = std::array{tensors_.at(name + ".weight")[0]};
    const auto scale = take<float>(features), shift = take<float>(features);
    fill(name + ".weight", scale);
    fill(name + ".bias", shift);
    return {.scale = scale, .shift = shift};
  }

  Linear linear(const std::string& name) { return stacked("", {name}); }
  BlockLinear<Backend> block_linear(const std::string& name) { return narrowed("", {name}); }

  /// Places several layers of the same inputs as one.
  Linear stacked(const std::string& prefix, std::initializer_list<std::string> names) {
    return stacked(memory_, prefix, names);
  }

  /// Places several layers over a block's tokens as one.
  BlockLinear<Backend> narrowed(const std::string& prefix, std::initializer_list<std::string> names) {
    if constexpr (narrows) {
      const Linear wide = stacked(is_copied_ ? nowhere_ : wide_, prefix, names);
      const auto weight = take<Operand>(wide.weight.extent);
      const auto scale = take<float>(std::array{Index{1}});
      if (has_memory() && !is_copied_) narrowings_.push_back({wide.weight, weight, scale});
      return {weight, wide.bias, scale};
    } else {
      return stacked(prefix, names);
    }
  }

  /// Places several layers as one in `arena`.
  Linear stacked(Arena<Backend>& arena, const std::string& prefix, std::initializer_list<std::string> names) {
    Index outputs = 0;
    for (const std::string& name : names) outputs += outputs_of(prefix + name);
    const auto weight = arena.template take<Element>(std::array{outputs, inputs_of(prefix + *names.begin())});
    const auto bias = take<Element>(std::array{outputs});
    Range rows;
    for (const std::string& name : names) {
      rows = {rows.end, rows.end + outputs_of(prefix + name)};
      fill(prefix + name + ".weight", weight.template slice<0>(rows));
      fill(prefix + name + ".bias", bias.template slice<0>(rows));
    }
    return {weight, bias};
  }
  Index outputs_of(const std::string& layer) const { return tensors_.at(layer + ".weight")[0]; }
  Index inputs_of(const std::string& layer) const {
    const Shape& shape = tensors_.at(layer + ".weight");
    return element_count(Shape(shape.begin() + 1, shape.end()));
  }

  /// Places a layer whose outputs are (row, column, channel) of a token in diffusers, and here (channel, row,
  /// column) as embed's inputs are, so that the state and the prediction have one layout.
  Linear channel_major(const std::string& name) {
    const Index channels = config_.shape().out_channels, area = config_.patch * config_.patch;
    const Index inputs = inputs_of(name);
    const auto weight = take<Element>(std::array{channels * area, inputs});
    const auto bias = take<Element>(std::array{channels * area});
    fill(name + ".weight",
         View<Element, 3>(weight.data, {area, channels, inputs}, {inputs, area * inputs, 1}));
    fill(name + ".bias", View<Element, 3>(bias.data, {area, channels, 1}, {1, area, 1}));
    return {weight, bias};
  }

  Attention<Backend> attention(const std::string& name, bool self) {
    Attention<Backend> out;
    if (self) {
      out.qkv = narrowed(name, {"to_q", "to_k", "to_v"});
    } else {
      out.q = block_linear(name + "to_q");
      out.kv = stacked(name, {"to_k", "to_v"});
    }
    out.out = block_linear(name + "to_out.0");
    out.q_norm = norm(name + "norm_q");
    out.k_norm = norm(name + "norm_k");
    return out;
  }

  Block<Backend> block(Index i) {
    const std::string name = "blocks." + std::to_string(i) + ".";
    Block<Backend> out;
    out.norm1 = norm(name + "norm1.norm");
    out.norm2 = norm(name + "norm2");
    out.norm3 = norm(name + "norm3");
    out.shift = linear(name + "norm1.linear");
    out.self = attention(name + "attn1.", true);
    out.text = attention(name + "attn2.", false);
    out.up = block_linear(name + "ff.net.0.proj");
    out.down = block_linear(name + "ff.net.2");
    if (config_.shape().reads_skip(i)) {
      out.skip_norm = norm(name + "skip_norm");
      out.skip = block_linear(name + "skip_linear");
    }
    return out;
  }

  Queue& queue_;
  typename Backend::Loader loader_;
  const HunyuanConfig& config_;
  const Source& source_;
  std::map<std::string, Shape> tensors_;
  Arena<Backend> memory_, wide_, nowhere_;  // nowhere_ is never allocated
  Others others_;
  bool is_copied_ = false;  // whether the section that is being placed comes from another model
  std::vector<Copy> copies_;
  std::vector<Narrowing> narrowings_;
};

}  // namespace weft::inline v0_1::hunyuan
