// SD3's weights, by diffusers' names.
#pragma once

#include <string>
#include <vector>

#include "weft/model/joint/conditioning.hpp"
#include "weft/model/sd3/config.hpp"

namespace weft::inline v0_1::sd3 {

template <class Backend>
struct Weights {
  using Element = typename Backend::Element;

  struct Shared {
    joint::Surroundings<Backend> layers;
    View<const float, 2> positions;  // (positions², width)
  } shared;
  std::vector<joint::Block<Backend>> blocks;

  /// Places them by a WeightLoader.
  template <class Loader>
  static Weights place(Loader& loader, const SD3Config& config) {
    const Index c = config.width();
    const auto mlp = [&loader, c](const std::string& name, Index inputs) {
      return Mlp<Element>{loader.linear(name + ".linear_1", c, inputs),
                          loader.linear(name + ".linear_2", c, c)};
    };
    const auto shared = [&config, &loader, &mlp, c]() -> Shared {
      return {.layers = {.image_in = loader.patches("pos_embed.proj", c, config.channels, config.patch),
                         .text_in = loader.linear("context_embedder", c, config.text_width),
                         .norm_out = loader.linear("norm_out.linear", 2 * c, c),
                         .proj_out = loader.channel_major("proj_out", config.out_channels, config.patch, c),
                         .time = mlp("time_text_embed.timestep_embedder", 256),
                         .pooled = mlp("time_text_embed.text_embedder", config.pooled_width)},
              .positions = loader.table("pos_embed.pos_embed", {1, config.positions * config.positions, c})};
    };
    const auto block = [&config, &loader](Index i) {
      return joint::place_block<Backend>(loader, "transformer_blocks." + std::to_string(i) + ".",
                                         config.shape(), config.has_head_norms, config.kind(i));
    };
    Weights out;
    out.shared = loader.shared(shared);
    out.blocks = loader.blocks({0, config.blocks}, block);
    return out;
  }
};

}  // namespace weft::inline v0_1::sd3
