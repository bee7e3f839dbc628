// HunyuanDiT v1.2, the model of `bench` and `plan` where no folder is given.
#pragma once

#include "weft/model/hunyuan/config.hpp"

namespace command {

inline weft::HunyuanConfig hunyuan_v12() {
  return weft::HunyuanConfig(weft::Config(
      R"({"num_layers": 40, "num_attention_heads": 16, "attention_head_dim": 88, "hidden_size": 1408,
          "mlp_ratio": 4.3637, "patch_size": 2, "in_channels": 4, "learn_sigma": true,
          "cross_attention_dim": 1024, "cross_attention_dim_t5": 2048, "text_len": 77, "text_len_t5": 256,
          "pooled_projection_dim": 1024, "use_style_cond_and_image_meta_size": false})",
      "HunyuanDiT v1.2"));
}

}  // namespace command
