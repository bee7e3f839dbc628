// PixArt's configuration, by diffusers' names.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "weft/core/digest.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/io/json.hpp"
#include "weft/model/config.hpp"

namespace weft::inline v0_1 {

/// PixArtTransformer2DModel's config.json.
struct PixArtConfig {
  Index blocks, heads, head_dim, patch, channels, out_channels;
  Index text_width;
  Index base;             // tokens along a side of the images that the model was made for
  double position_scale;  // by which positions are divided
  bool has_size;          // conditions on the image's resolution and aspect ratio: α at 1024 px

  explicit PixArtConfig(const Config& file)
      : blocks(positive(file, "num_layers")),
        heads(positive(file, "num_attention_heads")),
        head_dim(positive(file, "attention_head_dim")),
        patch(positive(file, "patch_size")),
        channels(positive(file, "in_channels")),
        out_channels(positive(file, "out_channels", channels)),
        text_width(positive(file, "caption_channels")),
        base(positive(file, "sample_size") / patch),
        position_scale(file.optional("interpolation_scale",
                                     std::max(1.0, std::floor(file.required<int>("sample_size") / 64.0)))),
        has_size(file.optional("use_additional_conditions", file.required<int>("sample_size") == 128)) {
    expect_setting(file, "activation_fn", std::string("gelu-approximate"));
    expect_setting(file, "norm_type", std::string("ada_norm_single"));
    expect_setting(file, "cross_attention_dim", static_cast<int>(width()));
    expect_setting(file, "attention_bias", true);
    if (width() % 4 != 0)
      reject(file.name(), ": num_attention_heads × attention_head_dim is ", width(),
             " and must be a multiple of 4");
    if (has_size && width() % 3 != 0)
      reject(file.name(), ": num_attention_heads × attention_head_dim is ", width(),
             " and must be a multiple of 3, for height, width and aspect ratio");
    if (position_scale <= 0 || base < 1)
      reject(file.name(), ": interpolation_scale is ", position_scale, " and must be above 0");
  }

  Index width() const { return heads * head_dim; }
  Index ffn() const { return 4 * width(); }
  /// Returns a hash of the settings.
  std::uint64_t digest() const {
    return digest_of(blocks, heads, head_dim, patch, channels, out_channels, text_width, base, position_scale,
                     has_size);
  }
  DitShape shape() const {
    return {.blocks = blocks,
            .width = width(),
            .heads = heads,
            .head_dim = head_dim,
            .patch = patch,
            .channels = channels,
            .out_channels = out_channels};
  }
};

}  // namespace weft::inline v0_1
