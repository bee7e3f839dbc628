// HunyuanDiT's weights, by diffusers' names.
#pragma once

#include <string>
#include <vector>

#include "weft/backend/operators.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/weight_loader.hpp"

namespace weft::inline v0_1::hunyuan {

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
  View<const float, 2> text_padding;    // (text_length, clip_width)
  View<const float, 2> pool_positions;  // (t5_length + 1, t5_width)
  View<const float, 2> style{};         // (1, width), v1.1 only
  std::vector<Block<Backend>> blocks;   // empty where not loaded

  /// Places them by a WeightLoader.
  template <class Loader>
  static Weights place(Loader& loader, const HunyuanConfig& config) {
    Weights out = loader.shared([&loader, &config] { return place_shared(loader, config); });
    out.blocks = loader.blocks({0, config.blocks},
                               [&loader, &config](Index i) { return place_block(loader, config, i); });
    return out;
  }

 private:
  template <class Loader>
  static Weights place_shared(Loader& loader, const HunyuanConfig& config) {
    const Index c = config.width(), clip = config.clip_width, t5 = config.t5_width;
    const std::string embedding = "time_extra_emb.";
    Weights out;
    out.embed = loader.patches("pos_embed.proj", c, config.channels, config.patch);
    out.proj_out = loader.channel_major("proj_out", config.shape().out_channels, config.patch, c);
    out.norm_out = loader.linear("norm_out.linear", 2 * c, c);
    out.text_1 = loader.linear("text_embedder.linear_1", 4 * t5, t5);
    out.text_2 = loader.linear("text_embedder.linear_2", clip, 4 * t5);
    out.time_1 = loader.linear(embedding + "timestep_embedder.linear_1", c, HunyuanConfig::sinusoids);
    out.time_2 = loader.linear(embedding + "timestep_embedder.linear_2", c, c);
    out.extra_1 = loader.linear(embedding + "extra_embedder.linear_1", 4 * c, config.extra_width());
    out.extra_2 = loader.linear(embedding + "extra_embedder.linear_2", c, 4 * c);
    out.pool_q = loader.linear(embedding + "pooler.q_proj", t5, t5);
    out.pool_k = loader.linear(embedding + "pooler.k_proj", t5, t5);
    out.pool_v = loader.linear(embedding + "pooler.v_proj", t5, t5);
    out.pool_out = loader.linear(embedding + "pooler.c_proj", config.pooled_width, t5);
    out.text_padding = loader.table("text_embedding_padding", {config.text_length(), clip});
    out.pool_positions = loader.table(embedding + "pooler.positional_embedding", {config.t5_length + 1, t5});
    if (config.size_and_style) out.style = loader.table(embedding + "style_embedder.weight", {1, c});
    return out;
  }

  template <class Loader>
  static Block<Backend> place_block(Loader& loader, const HunyuanConfig& config, Index i) {
    const std::string name = "blocks." + std::to_string(i) + ".";
    const Index c = config.width();
    const Features heads = Features::of_heads(config.shape(), loader.slice()),
                   hidden = Features::hidden(config.shape(), loader.slice());
    Block<Backend> out;
    out.norm1 = loader.layer_norm(name + "norm1.norm", c);
    out.norm2 = loader.layer_norm(name + "norm2", c);
    out.norm3 = loader.layer_norm(name + "norm3", c);
    out.shift = loader.linear(name + "norm1.linear", c, c);
    out.self = place_attention(loader, config, heads, name + "attn1.");
    out.self.qkv =
        loader.block_linear({name + "attn1.to_q", name + "attn1.to_k", name + "attn1.to_v"}, heads, c);
    out.text = place_attention(loader, config, heads, name + "attn2.");
    out.text.q = loader.block_linear({name + "attn2.to_q"}, heads, c);
    out.text.kv = loader.linear({name + "attn2.to_k", name + "attn2.to_v"}, heads, config.clip_width);
    out.up = loader.block_linear({name + "ff.net.0.proj"}, hidden, c);
    out.down = loader.block_linear({name + "ff.net.2"}, c, hidden);
    if (config.shape().reads_skip(i)) {
      out.skip_norm = loader.layer_norm(name + "skip_norm", 2 * c);
      out.skip = loader.block_linear({name + "skip_linear"}, c, 2 * c);
    }
    return out;
  }

  /// Places what attention to the image and to the text have both.
  template <class Loader>
  static Attention<Backend> place_attention(Loader& loader, const HunyuanConfig& config,
                                            const Features& heads, const std::string& name) {
    Attention<Backend> out;
    out.out = loader.block_linear({name + "to_out.0"}, config.width(), heads);
    out.q_norm = loader.layer_norm(name + "norm_q", config.head_dim);
    out.k_norm = loader.layer_norm(name + "norm_k", config.head_dim);
    return out;
  }
};

}  // namespace weft::inline v0_1::hunyuan
