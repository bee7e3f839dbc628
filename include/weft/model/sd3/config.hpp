// SD3's configuration, by diffusers' names.
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

/// SD3Transformer2DModel's config.json.
struct SD3Config {
  Index blocks, heads, head_dim, patch, channels, out_channels;
  Index text_width, pooled_width;
  Index positions;          // side of the stored table of positions
  std::vector<Index> dual;  // blocks with a second attention among the image
  bool has_head_norms;      // RMS norms of queries and keys

  explicit SD3Config(const Config& file)
      : blocks(positive(file, "num_layers")),
        heads(positive(file, "num_attention_heads")),
        head_dim(positive(file, "attention_head_dim")),
        patch(positive(file, "patch_size")),
        channels(positive(file, "in_channels")),
        out_channels(positive(file, "out_channels", channels)),
        text_width(positive(file, "joint_attention_dim")),
        pooled_width(positive(file, "pooled_projection_dim")),
        positions(positive(file, "pos_embed_max_size")),
        dual([&file] {
          const std::vector<int> layers = file.optional_array<int>("dual_attention_layers");
          return std::vector<Index>(layers.begin(), layers.end());
        }()),
        has_head_norms(file.has("qk_norm")) {
    if (has_head_norms) expect_setting(file, "qk_norm", std::string("rms_norm"));
    expect_setting(file, "caption_projection_dim", static_cast<int>(width()));
    for (const Index i : dual)
      if (i < 0 || i >= blocks)
        reject(file.name(), ": dual_attention_layers names block ", i, ", and there are ", blocks);
  }

  Index width() const { return heads * head_dim; }
  joint::BlockKind kind(Index i) const {
    return {.is_dual = std::ranges::count(dual, i) > 0, .drops_text = i + 1 == blocks};
  }
  /// Returns a hash of the settings.
  std::uint64_t digest() const {
    Digest out;
    add_to(out, digest_of(blocks, heads, head_dim, patch, channels, out_channels, text_width, pooled_width,
                          positions, has_head_norms));
    for (const Index i : dual) add_to(out, i);
    return out.value();
  }
  DitShape shape() const {
    DitShape out{.blocks = blocks,
                 .width = width(),
                 .heads = heads,
                 .head_dim = head_dim,
                 .patch = patch,
                 .channels = channels,
                 .out_channels = out_channels};
    for (Index i = 0; i < blocks; ++i)
      out.differing.push_back({.attentions = kind(i).is_dual ? 2 : 1, .cost = kind(i).is_dual ? 3 : 2});
    return out;
  }
};

}  // namespace weft::inline v0_1
