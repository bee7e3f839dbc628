// EncoderConfig: the settings of a text encoder, by transformers' names.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/activation.hpp"
#include "weft/core/digest.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"
#include "weft/io/json.hpp"
#include "weft/model/config.hpp"
#include "weft/text/token_ids.hpp"

namespace weft::inline v0_1::text {

/// BERT: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
/// 2019. T5: Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
/// Transformer", 2020. CLIP: Radford et al., "Learning Transferable Visual Models From Natural Language
/// Supervision", 2021.
enum class EncoderKind { bert, t5, clip };

/// An encoder's config.json. Keys that have no effect on the encoder's output are not read.
struct EncoderConfig {
  EncoderKind kind;
  Index layers = 0, width = 0, heads = 0, head_dim = 0;
  Index inner = 0;  // features between the two linear layers of a feed-forward
  Index vocabulary = 0;
  Index positions = 0;    // rows of the table of positions; T5 has none
  Index token_types = 0;  // rows of BERT's table of token types, of which the first is used
  float epsilon = 0;      // of all norms
  Activation activation = Activation::none;
  bool is_gated = false;  // whether the feed-forward is a gated linear unit
  Index buckets = 0;      // of T5's distances
  Index max_distance = 0;
  Index projection = 0;  // features of CLIP's projected pooled output; 0: it is not projected
  Id end = 0;            // CLIP's eos_token_id

  /// Throws InvalidArgument if the encoder is of another kind or a setting is one that it does not have.
  explicit EncoderConfig(const Config& file) : kind(kind_in(file)) {
    switch (kind) {
      case EncoderKind::bert:
        read_bert(file);
        break;
      case EncoderKind::t5:
        read_t5(file);
        break;
      case EncoderKind::clip:
        read_clip(file);
    }
    constexpr Index most_layers = 1024;
    if (layers > most_layers)
      reject(file.name(), " has ", layers, " layers; up to ", most_layers, " are possible");
    if (!(epsilon >= 0)) reject(file.name(), ": the norms' epsilon is ", epsilon, " and must be at least 0");
  }

  /// Returns the factor of queries times keys: T5 has none.
  float score_scale() const {
    return kind == EncoderKind::t5 ? 1 : 1 / std::sqrt(static_cast<float>(head_dim));
  }
  /// Returns whether norms stand before attention and feed-forward, and not after the sums.
  bool norms_first() const { return kind != EncoderKind::bert; }
  bool has_biases() const { return kind != EncoderKind::t5; }
  bool is_causal() const { return kind == EncoderKind::clip; }
  /// Returns the features of the pooled output; 0: there is none.
  Index pooled() const { return kind != EncoderKind::clip ? 0 : projection > 0 ? projection : width; }

  /// Return what a slice of each layer's matrices has: heads, and features inside the feed-forward. Either
  /// may be empty.
  Range heads_of(TensorSlice slice) const { return split(heads, slice.count, slice.index); }
  Range inner_of(TensorSlice slice) const { return slice.of(inner); }
  /// Returns the settings with what a slice has alone; states stay as wide.
  EncoderConfig of_slice(TensorSlice slice) const {
    EncoderConfig out = *this;
    out.heads = heads_of(slice).size();
    out.inner = inner_of(slice).size();
    return out;
  }

  /// Returns a hash of the settings.
  std::uint64_t digest() const {
    return digest_of(kind, layers, width, heads, head_dim, inner, vocabulary, positions, token_types, epsilon,
                     activation, is_gated, buckets, max_distance, projection, end);
  }

 private:
  static EncoderKind kind_in(const Config& file) {
    struct Kind {
      std::string_view type, architecture;
      EncoderKind kind;
    };
    constexpr std::array kinds{Kind{"bert", "BertModel", EncoderKind::bert},
                               Kind{"t5", "T5EncoderModel", EncoderKind::t5},
                               Kind{"mt5", "MT5EncoderModel", EncoderKind::t5},
                               Kind{"clip_text_model", "CLIPTextModel", EncoderKind::clip}};
    const auto type = file.optional<std::string>("model_type", "");
    const std::vector<std::string> architectures = file.optional_array<std::string>("architectures");
    const std::string architecture = architectures.empty() ? "" : architectures.front();
    std::vector<std::string> types;
    for (const Kind& is : kinds) {
      if (type.empty() ? architecture.starts_with(is.architecture) : type == is.type) return is.kind;
      types.emplace_back(is.type);
    }
    if (type.empty() && architecture.empty())
      reject(file.name(), " names no model_type; there are ", listed(types));
    reject(file.name(), ": ", type.empty() ? "architectures" : "model_type", " is ",
           type.empty() ? architecture : type, "; there are ", listed(types));
  }

  static Activation activation_named(const Config& file, std::string_view key, const std::string& name) {
    if (name == "gelu") return Activation::gelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
    if (name == "quick_gelu") return Activation::quick_gelu;
    if (name == "silu") return Activation::silu;
    reject(file.name(), ": ", key, " is ", name,
           "; there are gelu, gelu_new, gelu_pytorch_tanh, quick_gelu and silu");
  }

  void read_bert(const Config& file) {
    read_common(file, "gelu", 1e-12);
    token_types = positive(file, "type_vocab_size", 2);
    positions = positive(file, "max_position_embeddings", 512);
    expect_setting(file, "position_embedding_type", std::string("absolute"));
    for (const char* key : {"is_decoder", "add_cross_attention"}) expect_setting(file, key, false);
  }

  void read_clip(const Config& file) {
    read_common(file, "quick_gelu", 1e-5);
    positions = positive(file, "max_position_embeddings", 77);
    end = file.optional("eos_token_id", 49407);
    const std::vector<std::string> architectures = file.optional_array<std::string>("architectures");
    if (!architectures.empty() && architectures.front() == "CLIPTextModelWithProjection")
      projection = positive(file, "projection_dim", 512);
  }

  /// Reads what BERT and CLIP name alike.
  void read_common(const Config& file, const char* default_activation, double default_epsilon) {
    layers = positive(file, "num_hidden_layers");
    width = positive(file, "hidden_size");
    heads = positive(file, "num_attention_heads");
    inner = positive(file, "intermediate_size");
    vocabulary = positive(file, "vocab_size");
    if (width % heads != 0)
      reject(file.name(), ": hidden_size is ", width, " and must be a multiple of the ", heads,
             " num_attention_heads");
    head_dim = width / heads;
    epsilon = static_cast<float>(file.optional("layer_norm_eps", default_epsilon));
    activation =
        activation_named(file, "hidden_act", file.optional<std::string>("hidden_act", default_activation));
  }

  void read_t5(const Config& file) {
    layers = positive(file, "num_layers");
    width = positive(file, "d_model");
    heads = positive(file, "num_heads");
    head_dim = positive(file, "d_kv");
    inner = positive(file, "d_ff");
    vocabulary = positive(file, "vocab_size");
    epsilon = static_cast<float>(file.optional("layer_norm_epsilon", 1e-6));
    buckets = positive(file, "relative_attention_num_buckets", 32);
    max_distance = positive(file, "relative_attention_max_distance", 128);
    if (buckets % 4 != 0)
      reject(file.name(), ": relative_attention_num_buckets is ", buckets, " and must be a multiple of 4");
    if (max_distance <= buckets / 4)
      reject(file.name(), ": relative_attention_max_distance is ", max_distance, " and must be more than ",
             buckets / 4, ", a quarter of the buckets");
    read_feed_forward(file);
  }

  /// Reads feed_forward_proj, such as "gated-gelu", and the two keys that replace parts of it.
  void read_feed_forward(const Config& file) {
    const auto whole = file.optional<std::string>("feed_forward_proj", "relu");
    constexpr std::string_view gated = "gated-";
    const bool begins_gated = whole.starts_with(gated);
    std::string name = begins_gated ? whole.substr(gated.size()) : whole;
    if (whole == "gated-gelu") name = "gelu_new";
    is_gated = file.optional("is_gated_act", begins_gated);
    const bool names_activation = file.has("dense_act_fn");
    activation = activation_named(file, names_activation ? "dense_act_fn" : "feed_forward_proj",
                                  file.optional("dense_act_fn", name));
  }
};

}  // namespace weft::inline v0_1::text
