#include "hunyuan.hpp"

#include "weft/model/hunyuan_dit.hpp"

const weft::planner::ModelWork& hunyuan_work() {
  using Element = weft::counting::Number<2>;
  static const auto work = [] {
    const weft::HunyuanConfig config(weft::Config(
        R"({"num_layers": 40, "num_attention_heads": 16, "attention_head_dim": 88, "hidden_size": 1408,
            "mlp_ratio": 4.3637, "patch_size": 2, "in_channels": 4, "learn_sigma": true,
            "cross_attention_dim": 1024, "cross_attention_dim_t5": 2048, "text_len": 77, "text_len_t5": 256,
            "pooled_projection_dim": 1024, "use_style_cond_and_image_meta_size": false})",
        "HunyuanDiT v1.2"));
    return weft::planner::CountedModel<weft::HunyuanDiT<weft::Counting<Element>>>(
        config, weft::planner::sample_prompt(config));
  }();
  return work;
}
