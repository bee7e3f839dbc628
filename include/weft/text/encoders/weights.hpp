// The weights of a text encoder's layers.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "weft/backend/operators.hpp"
#include "weft/model/features.hpp"
#include "weft/text/encoders/config.hpp"
#include "weft/text/encoders/names.hpp"

namespace weft::inline v0_1::text {

template <class Element>
struct EncoderLayer {
  LinearWeights<Element> qkv, out;
  NormWeights attention_norm;
  LinearWeights<Element> up;  // where the feed-forward is gated, the gate and then the value
  LinearWeights<Element> down;
  NormWeights feed_forward_norm;
};

template <class Element>
struct EncoderWeights {
  std::vector<EncoderLayer<Element>> layers;
  NormWeights norm;                     // of the embeddings or, where norms come first, of the end
  LinearWeights<Element> projection{};  // of the pooled output, or empty

  /// Places them by a WeightLoader, of the matrices the loader's slice.
  template <class Loader>
  static EncoderWeights place(Loader& loader, const EncoderConfig& config, const EncoderNames& names) {
    const auto linear = [&loader, &config](std::initializer_list<std::string> layers, const Features& outputs,
                                           const Features& inputs) {
      return config.has_biases() ? loader.linear(layers, outputs, inputs)
                                 : loader.product(layers, outputs, inputs);
    };
    const auto norm = [&loader, &config](const std::string& name) {
      NormWeights out =
          config.has_biases() ? loader.layer_norm(name, config.width) : loader.rms_norm(name, config.width);
      out.epsilon = config.epsilon;
      return out;
    };
    const Range heads = config.heads_of(loader.slice());
    const Features width = config.width, inner(config.inner, config.inner_of(loader.slice())),
                   attended(config.heads * config.head_dim,
                            {heads.begin * config.head_dim, heads.end * config.head_dim});
    EncoderWeights out;
    for (Index i = 0; i < config.layers; ++i) {
      const auto name = [layer = names.layers + std::to_string(i)](std::string_view part) {
        return layer + std::string(part);
      };
      const LayerNames& is = names.layer;
      out.layers.push_back({.qkv = linear({name(is.q), name(is.k), name(is.v)}, attended, width),
                            .out = linear({name(is.out)}, width, attended),
                            .attention_norm = norm(name(is.attention_norm)),
                            .up = config.is_gated ? linear({name(is.gate), name(is.up)}, inner, width)
                                                  : linear({name(is.up)}, inner, width),
                            .down = linear({name(is.down)}, width, inner),
                            .feed_forward_norm = norm(name(is.feed_forward_norm))});
    }
    out.norm = norm(names.norm);
    if (config.projection > 0)
      out.projection = loader.product({"text_projection"}, config.projection, config.width);
    return out;
  }
};

}  // namespace weft::inline v0_1::text
