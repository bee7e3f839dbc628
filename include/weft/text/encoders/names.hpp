// EncoderNames: the names of a text encoder's tensors in files of transformers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weft/io/weight_files.hpp"
#include "weft/text/encoders/config.hpp"

namespace weft::inline v0_1::text {

/// Names within a layer.
struct LayerNames {
  std::string_view q, k, v, out, attention_norm;
  std::string_view gate;  // where the feed-forward is gated
  std::string_view up, down, feed_forward_norm;
};

struct EncoderNames {
  std::string words, positions, token_types;  // tables (rows, width); empty: none
  std::string distances{};                    // T5's table (buckets, heads)
  std::string norm;                           // of the embeddings or, where norms come first, of the end
  std::string layers;                         // before a layer's number
  LayerNames layer;
  std::vector<std::string_view> unread;  // what names of tensors that may lie beside begin with

  /// Returns the names that these files have: with or without the prefix of a larger model.
  static EncoderNames in(const WeightFiles& files, const EncoderConfig& config) {
    switch (config.kind) {
      case EncoderKind::bert:
        return bert(files.find("bert.embeddings.word_embeddings.weight") ? "bert." : "");
      case EncoderKind::t5:
        return t5(files.find("shared.weight") ? "shared" : "encoder.embed_tokens", config.is_gated);
      case EncoderKind::clip:
        break;
    }
    return clip(files.find("text_model.embeddings.token_embedding.weight") ? "text_model." : "",
                config.projection > 0);
  }

 private:
  static EncoderNames bert(const std::string& prefix) {
    return {.words = prefix + "embeddings.word_embeddings.weight",
            .positions = prefix + "embeddings.position_embeddings.weight",
            .token_types = prefix + "embeddings.token_type_embeddings.weight",
            .norm = prefix + "embeddings.LayerNorm",
            .layers = prefix + "encoder.layer.",
            .layer = {.q = ".attention.self.query",
                      .k = ".attention.self.key",
                      .v = ".attention.self.value",
                      .out = ".attention.output.dense",
                      .attention_norm = ".attention.output.LayerNorm",
                      .gate = {},
                      .up = ".intermediate.dense",
                      .down = ".output.dense",
                      .feed_forward_norm = ".output.LayerNorm"},
            .unread = {"embeddings.position_ids", "pooler.", "bert.embeddings.position_ids", "bert.pooler.",
                       "cls."}};
  }

  static EncoderNames t5(const std::string& words, bool is_gated) {
    const std::string first = "encoder.block.0.layer.0.SelfAttention.";
    return {.words = words + ".weight",
            .positions = {},
            .token_types = {},
            .distances = first + "relative_attention_bias.weight",
            .norm = "encoder.final_layer_norm",
            .layers = "encoder.block.",
            .layer = {.q = ".layer.0.SelfAttention.q",
                      .k = ".layer.0.SelfAttention.k",
                      .v = ".layer.0.SelfAttention.v",
                      .out = ".layer.0.SelfAttention.o",
                      .attention_norm = ".layer.0.layer_norm",
                      .gate = ".layer.1.DenseReluDense.wi_0",
                      .up = is_gated ? ".layer.1.DenseReluDense.wi_1" : ".layer.1.DenseReluDense.wi",
                      .down = ".layer.1.DenseReluDense.wo",
                      .feed_forward_norm = ".layer.1.layer_norm"},
            .unread = {"encoder.embed_tokens.", "decoder.", "lm_head."}};
  }

  static EncoderNames clip(const std::string& prefix, bool projects) {
    EncoderNames out{.words = prefix + "embeddings.token_embedding.weight",
                     .positions = prefix + "embeddings.position_embedding.weight",
                     .token_types = {},
                     .norm = prefix + "final_layer_norm",
                     .layers = prefix + "encoder.layers.",
                     .layer = {.q = ".self_attn.q_proj",
                               .k = ".self_attn.k_proj",
                               .v = ".self_attn.v_proj",
                               .out = ".self_attn.out_proj",
                               .attention_norm = ".layer_norm1",
                               .gate = {},
                               .up = ".mlp.fc1",
                               .down = ".mlp.fc2",
                               .feed_forward_norm = ".layer_norm2"},
                     .unread = {"embeddings.position_ids", "text_model.embeddings.position_ids",
                                "vision_model.", "visual_projection.", "logit_scale"}};
    if (!projects) out.unread.emplace_back("text_projection.");
    return out;
  }
};

}  // namespace weft::inline v0_1::text
