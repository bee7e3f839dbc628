// FLUX.1's configuration, by diffusers' names.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "weft/core/digest.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/io/json.hpp"
#include "weft/model/config.hpp"
#include "weft/model/joint/sizes.hpp"

namespace weft::inline v0_1 {

/// FluxTransformer2DModel's config.json. The state is unpacked: `channels` of patches of two by two.
struct FluxConfig {
  static constexpr Index patch = 2;

  Index double_blocks, single_blocks, heads, head_dim, channels;
  Index text_width, pooled_width;
  std::vector<Index> axes;  // features of a head that turn with an index, the row and the column
  bool embeds_guidance;

  explicit FluxConfig(const Config& file)
      : double_blocks(positive(file, "num_layers")),
        single_blocks(positive(file, "num_single_layers")),
        heads(positive(file, "num_attention_heads")),
        head_dim(positive(file, "attention_head_dim")),
        channels(positive(file, "in_channels") / (patch * patch)),
        text_width(positive(file, "joint_attention_dim")),
        pooled_width(positive(file, "pooled_projection_dim")),
        embeds_guidance(file.optional("guidance_embeds", false)) {
    for (const int features : file.optional_array<int>("axes_dims_rope")) axes.push_back(features);
    if (axes.empty()) axes = {16, 56, 56};
    Index turned = 0;
    for (const Index features : axes) turned += features;
    if (axes.size() != 3 || turned != head_dim ||
        std::ranges::any_of(axes, [](Index n) { return n < 0 || n % 2 != 0; }))
      reject(file.name(), ": axes_dims_rope must be three even numbers that add up to attention_head_dim, ",
             head_dim);
    if (channels * patch * patch != positive(file, "in_channels"))
      reject(file.name(), ": in_channels is ", file.required<int>("in_channels"),
             " and must be a multiple of 4, of packed patches; ", (channels + 1) * patch * patch,
             " would do");
    expect_setting(file, "out_channels", file.required<int>("in_channels"));
    expect_setting(file, "patch_size", 1);
  }

  Index width() const { return heads * head_dim; }
  Index ffn() const { return 4 * width(); }
  Index features() const { return channels * patch * patch; }
  Index blocks() const { return double_blocks + single_blocks; }
  /// Returns a hash of the settings.
  std::uint64_t digest() const {
    Digest out;
    add_to(out, digest_of(double_blocks, single_blocks, heads, head_dim, channels, text_width, pooled_width,
                          embeds_guidance));
    for (const Index features : axes) add_to(out, features);
    return out.value();
  }
  DitShape shape() const {
    return {.blocks = blocks(),
            .width = width(),
            .heads = heads,
            .head_dim = head_dim,
            .patch = patch,
            .channels = channels,
            .out_channels = channels};
  }
};

}  // namespace weft::inline v0_1
