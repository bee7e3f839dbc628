// HunyuanDiT's configuration and tensors, by diffusers' names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weft/core/digest.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/core/tensor.hpp"
#include "weft/io/json.hpp"
#include "weft/model/config.hpp"

namespace weft::inline v0_1 {

/// HunyuanDiT2DModel's config.json.
struct HunyuanConfig {
  Index blocks, heads, head_dim, patch, channels;
  Index ffn;                     // width of the feed-forward layer
  bool learn_sigma;              // predicts a variance too, which schedulers here ignore
  Index clip_width, t5_width;    // features of text states
  Index clip_length, t5_length;  // numbers of text states
  Index pooled_width;
  bool size_and_style;  // v1.1: conditions on the image's size and a style as well
  Index rope_base;      // side of the base grid of the rotary positions

  /// Reads the settings. Throws InvalidArgument if they are not those of a model that can be run.
  explicit HunyuanConfig(const Config& config)
      : blocks(positive(config, "num_layers")),
        heads(positive(config, "num_attention_heads")),
        head_dim(positive(config, "attention_head_dim")),
        patch(positive(config, "patch_size")),
        channels(positive(config, "in_channels")),
        ffn(static_cast<Index>(static_cast<double>(heads * head_dim) * mlp_ratio(config))),
        learn_sigma(config.optional("learn_sigma", true)),
        clip_width(positive(config, "cross_attention_dim")),
        t5_width(positive(config, "cross_attention_dim_t5")),
        clip_length(positive(config, "text_len")),
        t5_length(positive(config, "text_len_t5")),
        pooled_width(positive(config, "pooled_projection_dim")),
        size_and_style(config.optional("use_style_cond_and_image_meta_size", true)),
        rope_base(config.optional("rope_base_size", static_cast<int>(64 / patch))) {
    const auto& file = config.name();
    const auto activation = config.optional<std::string>("activation_fn", "gelu-approximate");
    if (activation != "gelu-approximate")
      reject(file, ": activation_fn is ", activation, ", and HunyuanDiT has gelu-approximate");
    if (blocks % 2 != 0)
      reject(file, ": num_layers is ", blocks, " and must be even, since long skips pair the blocks; ",
             blocks + 1, " would do");
    if (head_dim % 4 != 0)
      reject(file, ": attention_head_dim is ", head_dim,
             " and must be a multiple of 4, for rotary pairs of rows and of columns; ",
             (head_dim + 3) / 4 * 4, " would do");
    if (t5_width % pooler_heads != 0)
      reject(file, ": cross_attention_dim_t5 is ", t5_width, " and must be a multiple of the pooler's ",
             pooler_heads, " heads");
    if (const Index hidden = positive(config, "hidden_size"); hidden != width())
      reject(file, ": hidden_size is ", hidden, " and must be num_attention_heads × attention_head_dim, ",
             width());
    if (ffn < 1) reject(file, ": mlp_ratio leaves the feed-forward layer no feature; 4.0 is usual");
    if (rope_base < 1) reject(file, ": rope_base_size is ", rope_base, " and must be at least 1");
  }

  static constexpr Index pooler_heads = 8;
  static constexpr Index sinusoids = 256;  // features of the embedding of a time, or of a number of the size
  static constexpr Index size_numbers = 6;

  constexpr Index width() const { return heads * head_dim; }
  constexpr Index text_length() const { return clip_length + t5_length; }
  constexpr Index features() const { return channels * patch * patch; }  // of a token of the state

  /// Returns the width of the pooled text with the image's size and style.
  constexpr Index extra_width() const {
    return pooled_width + (size_and_style ? size_numbers * sinusoids + width() : 0);
  }

  constexpr DitShape shape() const {
    return {.blocks = blocks,
            .width = width(),
            .heads = heads,
            .head_dim = head_dim,
            .patch = patch,
            .channels = channels,
            .out_channels = channels * (learn_sigma ? 2 : 1),
            .placement = Placement::folded,
            .ffn = ffn};
  }

  /// Returns a hash of the settings.
  std::uint64_t digest() const {
    return digest_of(blocks, heads, head_dim, patch, channels, ffn, learn_sigma, clip_width, t5_width,
                     clip_length, t5_length, pooled_width, size_and_style, rope_base);
  }

 private:
  static double mlp_ratio(const Config& config) {
    const double ratio = config.optional("mlp_ratio", 4.0);
    if (!(0 < ratio && ratio <= most_mlp_ratio))
      reject(config.name(), ": mlp_ratio is ", ratio, " and must lie between 0 and ", most_mlp_ratio,
             "; 4.0 is usual");
    return ratio;
  }

  static constexpr int most_mlp_ratio = 1024;
};

}  // namespace weft::inline v0_1
