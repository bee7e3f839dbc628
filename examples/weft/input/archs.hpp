// Architectures that the command knows without a folder: the settings of published models' transformers.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model_settings.hpp"
#include "weft/core/error.hpp"

namespace command {

struct Arch {
  std::string_view name;
  std::string_view config;  // transformer/config.json
  weft::Index text_tokens;  // of a prompt, as the model's pipeline encodes it
};

/// The first one is the default.
inline constexpr std::array archs{
    Arch{"hunyuan-v1.2",
         R"({"_class_name": "HunyuanDiT2DModel", "num_layers": 40, "num_attention_heads": 16,
             "attention_head_dim": 88, "hidden_size": 1408, "mlp_ratio": 4.3637, "patch_size": 2,
             "in_channels": 4, "learn_sigma": true, "cross_attention_dim": 1024,
             "cross_attention_dim_t5": 2048, "text_len": 77, "text_len_t5": 256, "pooled_projection_dim": 1024,
             "use_style_cond_and_image_meta_size": false})",
         333},
    Arch{"pixart-alpha",
         R"({"_class_name": "PixArtTransformer2DModel", "num_layers": 28, "num_attention_heads": 16,
             "attention_head_dim": 72, "cross_attention_dim": 1152, "caption_channels": 4096,
             "in_channels": 4, "out_channels": 8, "patch_size": 2, "sample_size": 128,
             "interpolation_scale": 2, "use_additional_conditions": true, "norm_type": "ada_norm_single",
             "activation_fn": "gelu-approximate", "attention_bias": true})",
         120},
    Arch{"pixart-sigma",
         R"({"_class_name": "PixArtTransformer2DModel", "num_layers": 28, "num_attention_heads": 16,
             "attention_head_dim": 72, "cross_attention_dim": 1152, "caption_channels": 4096,
             "in_channels": 4, "out_channels": 8, "patch_size": 2, "sample_size": 128,
             "interpolation_scale": 2, "use_additional_conditions": false, "norm_type": "ada_norm_single",
             "activation_fn": "gelu-approximate", "attention_bias": true})",
         300},
    Arch{"sd3-medium",
         R"({"_class_name": "SD3Transformer2DModel", "num_layers": 24, "num_attention_heads": 24,
             "attention_head_dim": 64, "joint_attention_dim": 4096, "caption_projection_dim": 1536,
             "pooled_projection_dim": 2048, "in_channels": 16, "out_channels": 16, "patch_size": 2,
             "pos_embed_max_size": 192})",
         333},
    Arch{"sd3.5-medium",
         R"({"_class_name": "SD3Transformer2DModel", "num_layers": 24, "num_attention_heads": 24,
             "attention_head_dim": 64, "joint_attention_dim": 4096, "caption_projection_dim": 1536,
             "pooled_projection_dim": 2048, "in_channels": 16, "out_channels": 16, "patch_size": 2,
             "pos_embed_max_size": 384, "qk_norm": "rms_norm",
             "dual_attention_layers": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]})",
         333},
    Arch{"sd3.5-large",
         R"({"_class_name": "SD3Transformer2DModel", "num_layers": 38, "num_attention_heads": 38,
             "attention_head_dim": 64, "joint_attention_dim": 4096, "caption_projection_dim": 2432,
             "pooled_projection_dim": 2048, "in_channels": 16, "out_channels": 16, "patch_size": 2,
             "pos_embed_max_size": 192, "qk_norm": "rms_norm"})",
         333},
    Arch{"flux-dev",
         R"({"_class_name": "FluxTransformer2DModel", "num_layers": 19, "num_single_layers": 38,
             "num_attention_heads": 24, "attention_head_dim": 128, "joint_attention_dim": 4096,
             "pooled_projection_dim": 768, "in_channels": 64, "patch_size": 1,
             "axes_dims_rope": [16, 56, 56], "guidance_embeds": true})",
         512},
    Arch{"flux-schnell",
         R"({"_class_name": "FluxTransformer2DModel", "num_layers": 19, "num_single_layers": 38,
             "num_attention_heads": 24, "attention_head_dim": 128, "joint_attention_dim": 4096,
             "pooled_projection_dim": 768, "in_channels": 64, "patch_size": 1,
             "axes_dims_rope": [16, 56, 56], "guidance_embeds": false})",
         512}};

/// Returns the architecture of that name. Throws InvalidArgument, naming all, if there is none.
[[nodiscard]] inline const Arch& arch_named(std::string_view name) {
  std::vector<std::string> names;
  for (const Arch& arch : archs) {
    if (arch.name == name) return arch;
    names.emplace_back(arch.name);
  }
  weft::reject("there is no architecture ", name, "; there are ", weft::listed(names));
}

[[nodiscard]] inline ModelSettings settings_of(const Arch& arch) {
  return model_settings(weft::Config(arch.config, std::string(arch.name)));
}

/// Returns the settings of the model of `plan` where no folder is given, and of projections.
[[nodiscard]] inline weft::HunyuanConfig hunyuan_v12() {
  return std::get<weft::HunyuanConfig>(settings_of(arch_named("hunyuan-v1.2")));
}

}  // namespace command
