// FLUX.1's weights, by diffusers' names.
#pragma once

#include <string>
#include <vector>

#include "weft/model/flux/config.hpp"
#include "weft/model/joint/conditioning.hpp"

namespace weft::inline v0_1::flux {

/// A block of one stream: attention and feed-forward side by side, of text and image alike.
/// Dehghani et al., "Scaling Vision Transformers to 22 Billion Parameters", 2023.
template <class Backend>
struct SingleBlock {
  joint::ModulationLayer<Backend> modulation;
  BlockLinear<Backend> qkv, up, out;
  NormWeights q_norm, k_norm;
};

template <class Backend>
struct Weights {
  using Element = typename Backend::Element;

  joint::Surroundings<Backend> layers;
  std::vector<joint::Block<Backend>> double_blocks;
  std::vector<SingleBlock<Backend>> single_blocks;

  /// Places them by a WeightLoader.
  template <class Loader>
  static Weights place(Loader& loader, const FluxConfig& config) {
    const Index c = config.width();
    const auto mlp = [&loader, c](const std::string& name, Index inputs) {
      return Mlp<Element>{loader.linear(name + ".linear_1", c, inputs),
                          loader.linear(name + ".linear_2", c, c)};
    };
    const auto shared = [&config, &loader, &mlp, c] {
      joint::Surroundings<Backend> out{.image_in = loader.linear("x_embedder", c, config.features()),
                                       .text_in = loader.linear("context_embedder", c, config.text_width),
                                       .norm_out = loader.linear("norm_out.linear", 2 * c, c),
                                       .proj_out = loader.linear("proj_out", config.features(), c),
                                       .time = mlp("time_text_embed.timestep_embedder", 256),
                                       .pooled = mlp("time_text_embed.text_embedder", config.pooled_width)};
      if (config.embeds_guidance) out.guidance = mlp("time_text_embed.guidance_embedder", 256);
      return out;
    };
    const auto double_block = [&config, &loader](Index i) {
      return joint::place_block<Backend>(loader, "transformer_blocks." + std::to_string(i) + ".",
                                         config.shape(), true, {});
    };
    const Features heads = Features::of_heads(config.shape(), loader.slice()),
                   hidden = Features::hidden(config.shape(), loader.slice());
    const auto single_block = [&config, &loader, &heads, &hidden, c](Index i) {
      const std::string name = "single_transformer_blocks." + std::to_string(i - config.double_blocks) + ".";
      return SingleBlock<Backend>{
          .modulation = joint::ModulationLayer<Backend>::place(loader, name + "norm.linear", 3 * c, c),
          .qkv = loader.block_linear({name + "attn.to_q", name + "attn.to_k", name + "attn.to_v"}, heads, c),
          .up = loader.block_linear({name + "proj_mlp"}, hidden, c),
          .out = loader.block_linear({name + "proj_out"}, c, heads + hidden),
          .q_norm = loader.rms_norm(name + "attn.norm_q", config.head_dim),
          .k_norm = loader.rms_norm(name + "attn.norm_k", config.head_dim)};
    };
    Weights out;
    out.layers = loader.shared(shared);
    out.double_blocks = loader.blocks({0, config.double_blocks}, double_block);
    out.single_blocks = loader.blocks({config.double_blocks, config.blocks()}, single_block);
    return out;
  }
};

}  // namespace weft::inline v0_1::flux
