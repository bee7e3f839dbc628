// PixArt's weights, by diffusers' names.
#pragma once

#include <string>
#include <vector>

#include "weft/model/embeddings.hpp"
#include "weft/model/pixart/config.hpp"
#include "weft/model/weight_loader.hpp"

namespace weft::inline v0_1::pixart {

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

  /// Places them by a WeightLoader.
  template <class Loader>
  static Weights place(Loader& loader, const PixArtConfig& config) {
    const Index c = config.width();
    const auto mlp = [&loader](const std::string& name, Index outputs, Index inputs) {
      return Mlp<Element>{loader.linear(name + ".linear_1", outputs, inputs),
                          loader.linear(name + ".linear_2", outputs, outputs)};
    };
    const auto shared = [&config, &loader, &mlp, c] {
      Shared out{.embed = loader.patches("pos_embed.proj", c, config.channels, config.patch),
                 .proj_out = loader.channel_major("proj_out", config.out_channels, config.patch, c),
                 .modulation = loader.linear("adaln_single.linear", 6 * c, c),
                 .time = mlp("adaln_single.emb.timestep_embedder", c, 256),
                 .text = mlp("caption_projection", c, config.text_width),
                 .table = loader.table("scale_shift_table", {2, c})};
      if (config.has_size) {
        out.resolution = mlp("adaln_single.emb.resolution_embedder", c / 3, 256);
        out.aspect_ratio = mlp("adaln_single.emb.aspect_ratio_embedder", c / 3, 256);
      }
      return out;
    };
    const Features heads = Features::of_heads(config.shape(), loader.slice()),
                   hidden = Features::hidden(config.shape(), loader.slice());
    const auto block = [&loader, &heads, &hidden, c](Index i) {
      const std::string name = "transformer_blocks." + std::to_string(i) + ".";
      return Block<Backend>{.table = loader.table(name + "scale_shift_table", {6, c}),
                            .qkv = loader.block_linear(
                                {name + "attn1.to_q", name + "attn1.to_k", name + "attn1.to_v"}, heads, c),
                            .out = loader.block_linear({name + "attn1.to_out.0"}, c, heads),
                            .text_q = loader.block_linear({name + "attn2.to_q"}, heads, c),
                            .text_out = loader.block_linear({name + "attn2.to_out.0"}, c, heads),
                            .text_kv = loader.linear({name + "attn2.to_k", name + "attn2.to_v"}, heads, c),
                            .up = loader.block_linear({name + "ff.net.0.proj"}, hidden, c),
                            .down = loader.block_linear({name + "ff.net.2"}, c, hidden)};
    };
    Weights out;
    out.shared = loader.shared(shared);
    out.blocks = loader.blocks({0, config.blocks}, block);
    return out;
  }
};

}  // namespace weft::inline v0_1::pixart
