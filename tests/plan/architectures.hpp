// Settings of models as their config.json has them.
#pragma once

#include "weft/model/flux/config.hpp"
#include "weft/model/pixart/config.hpp"
#include "weft/model/sd3/config.hpp"

inline weft::PixArtConfig pixart_sigma() {
  return weft::PixArtConfig(weft::Config(
      R"({"sample_size": 128, "num_layers": 28, "attention_head_dim": 72, "num_attention_heads": 16, "in_channels": 4,
          "out_channels": 8, "cross_attention_dim": 1152, "caption_channels": 4096, "patch_size": 2,
          "interpolation_scale": 2, "use_additional_conditions": false, "norm_type": "ada_norm_single",
          "activation_fn": "gelu-approximate", "attention_bias": true})",
      "PixArt-Σ"));
}

inline weft::SD3Config sd3_medium() {
  return weft::SD3Config(weft::Config(
      R"({"sample_size": 128, "patch_size": 2, "in_channels": 16, "num_layers": 24, "attention_head_dim": 64,
          "num_attention_heads": 24, "joint_attention_dim": 4096, "caption_projection_dim": 1536,
          "pooled_projection_dim": 2048, "out_channels": 16, "pos_embed_max_size": 192})",
      "SD3-medium"));
}

inline weft::SD3Config sd35_medium() {
  return weft::SD3Config(weft::Config(
      R"({"sample_size": 128, "patch_size": 2, "in_channels": 16, "num_layers": 24, "attention_head_dim": 64,
          "num_attention_heads": 24, "joint_attention_dim": 4096, "caption_projection_dim": 1536,
          "pooled_projection_dim": 2048, "out_channels": 16, "pos_embed_max_size": 384, "qk_norm": "rms_norm",
          "dual_attention_layers": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]})",
      "SD3.5-medium"));
}

inline weft::SD3Config sd35_large() {
  return weft::SD3Config(weft::Config(
      R"({"sample_size": 128, "patch_size": 2, "in_channels": 16, "num_layers": 38, "attention_head_dim": 64,
          "num_attention_heads": 38, "joint_attention_dim": 4096, "caption_projection_dim": 2432,
          "pooled_projection_dim": 2048, "out_channels": 16, "pos_embed_max_size": 192, "qk_norm": "rms_norm"})",
      "SD3.5-large"));
}

inline weft::FluxConfig flux_dev() {
  return weft::FluxConfig(weft::Config(
      R"({"in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128,
          "num_attention_heads": 24, "joint_attention_dim": 4096, "pooled_projection_dim": 768,
          "guidance_embeds": true})",
      "FLUX.1-dev"));
}
