// HunyuanDiT's weights in a backend's memory, read from diffusers' files.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weft/model/hunyuan/config.hpp"
#include "weft/model/layers.hpp"

namespace weft::hunyuan {

template <class Backend>
struct Attention {
  Linear<Backend> qkv, q, kv, out;  // qkv for self-attention; q and kv for attention to the text
  LayerNorm<Backend> q_norm, k_norm;
};

template <class Backend>
struct Block {
  LayerNorm<Backend> norm1, norm2, norm3;
  Linear<Backend> shift;  // of norm1, from the conditioning
  Attention<Backend> self, text;
  Linear<Backend> up, down;  // feed-forward
  LayerNorm<Backend> skip_norm;
  Linear<Backend> skip;  // of blocks that read a long skip
};

template <class Backend>
struct Weights {
  Linear<Backend> embed, proj_out;  // token features are (channel, row, column)
  Linear<Backend> norm_out;
  Linear<Backend> text_1, text_2;
  Linear<Backend> time_1, time_2;
  Linear<Backend> extra_1, extra_2;
  Linear<Backend> pool_q, pool_k, pool_v, pool_out;
  Tensor text_padding;                 // (text_length, clip_width)
  Tensor pool_positions;               // (t5_length + 1, t5_width)
  Tensor style;                        // (1, width), v1.1 only
  std::vector<Block<Backend>> blocks;  // those that were not asked for are empty
};

/// A linear layer as it is stored.
struct StoredLinear {
  Tensor weight, bias;
};

template <class Backend>
class WeightReader {
 public:
  using Queue = typename Backend::Queue;

  /// Gives the tensor of a name, in a shape.
  using Source = std::function<Tensor(const std::string& name, const Shape& shape)>;

  WeightReader(Queue& queue, const HunyuanConfig& config, Source source)
      : queue_(queue), config_(config), source_(std::move(source)), tensors_(config.tensors()) {}

  /// What all blocks share, and the blocks of `wanted`.
  Weights<Backend> read(const std::vector<Range>& wanted) const {
    Weights<Backend> out{
        .embed = linear_as("pos_embed.proj", {config_.width(), config_.features()}),
        .proj_out = picture_major(linear_tensors("proj_out")),
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
        .text_padding = tensor("text_embedding_padding"),
        .pool_positions = tensor("time_extra_emb.pooler.positional_embedding"),
        .style = config_.size_and_style ? tensor("time_extra_emb.style_embedder.weight") : Tensor(),
        .blocks = std::vector<Block<Backend>>(static_cast<std::size_t>(config_.blocks)),
    };
    for (const Range& range : wanted)
      for (Index i = range.begin; i < range.end; ++i) out.blocks[static_cast<std::size_t>(i)] = block(i);
    return out;
  }

 private:
  Tensor tensor(const std::string& name) const { return source_(name, tensors_.at(name)); }

  StoredLinear linear_tensors(const std::string& name) const {
    return {tensor(name + ".weight"), tensor(name + ".bias")};
  }

  Linear<Backend> linear(const std::string& name) const {
    const StoredLinear pair = linear_tensors(name);
    return {queue_, pair.weight, pair.bias};
  }

  Linear<Backend> linear_as(const std::string& name, const Shape& shape) const {
    StoredLinear pair = linear_tensors(name);
    pair.weight.shape = shape;
    return {queue_, pair.weight, pair.bias};
  }

  /// Several layers of the same inputs as one.
  Linear<Backend> stacked(const std::string& prefix, std::initializer_list<const char*> names) const {
    StoredLinear all;
    for (const char* name : names) {
      const StoredLinear pair = linear_tensors(prefix + name);
      all.weight.data.insert(all.weight.data.end(), pair.weight.data.begin(), pair.weight.data.end());
      all.bias.data.insert(all.bias.data.end(), pair.bias.data.begin(), pair.bias.data.end());
      all.weight.shape = {all.bias.size(), pair.weight.shape[1]};
    }
    all.bias.shape = {all.bias.size()};
    return {queue_, all.weight, all.bias};
  }

  LayerNorm<Backend> norm(const std::string& name) const {
    return {queue_, tensor(name + ".weight"), tensor(name + ".bias")};
  }

  /// diffusers' outputs are (row, column, channel) of a token; these are (channel, row, column), as embed's
  /// inputs, so that the state and the prediction have one layout.
  Linear<Backend> picture_major(const StoredLinear& pair) const {
    const Index channels = config_.shape().out_channels, area = config_.patch * config_.patch;
    StoredLinear out{Tensor(pair.weight.shape), Tensor(pair.bias.shape)};
    for (Index c = 0; c < channels; ++c)
      for (Index i = 0; i < area; ++i) {
        const auto from = pair.weight.view<2>()[i * channels + c];
        std::copy_n(from.data, from.size(), out.weight.view<2>()[c * area + i].data);
        out.bias.view<1>()[c * area + i] = pair.bias.view<1>()[i * channels + c];
      }
    return {queue_, out.weight, out.bias};
  }

  Attention<Backend> attention(const std::string& name, bool self) const {
    Attention<Backend> out;
    if (self) {
      out.qkv = stacked(name, {"to_q", "to_k", "to_v"});
    } else {
      out.q = linear(name + "to_q");
      out.kv = stacked(name, {"to_k", "to_v"});
    }
    out.out = linear(name + "to_out.0");
    out.q_norm = norm(name + "norm_q");
    out.k_norm = norm(name + "norm_k");
    return out;
  }

  Block<Backend> block(Index i) const {
    const std::string name = "blocks." + std::to_string(i) + ".";
    Block<Backend> out;
    out.norm1 = norm(name + "norm1.norm");
    out.norm2 = norm(name + "norm2");
    out.norm3 = norm(name + "norm3");
    out.shift = linear(name + "norm1.linear");
    out.self = attention(name + "attn1.", true);
    out.text = attention(name + "attn2.", false);
    out.up = linear(name + "ff.net.0.proj");
    out.down = linear(name + "ff.net.2");
    if (config_.shape().reads_skip(i)) {
      out.skip_norm = norm(name + "skip_norm");
      out.skip = linear(name + "skip_linear");
    }
    return out;
  }

  Queue& queue_;
  const HunyuanConfig& config_;
  Source source_;
  std::map<std::string, Shape> tensors_;
};

}  // namespace weft::hunyuan
