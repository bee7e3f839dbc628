// The weights of AutoencoderKL's decoder, by diffusers' names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "weft/vae/config.hpp"
#include "weft/vae/weight_reader.hpp"

namespace weft::inline v0_1::vae {

/// Two convolutions, each after a norm and SiLU, beside a shortcut: He et al., "Identity Mappings in Deep
/// Residual Networks", 2016.
template <class Element>
struct Resnet {
  NormParameters norm1, norm2;
  ConvolutionWeights<Element> conv1, conv2;
  std::optional<LinearWeights<Element>> shortcut;  // where the channels change
};

/// Attention of one head among all pixels.
template <class Element>
struct PixelAttention {
  NormParameters norm;
  LinearWeights<Element> qkv, out;
};

template <class Element>
struct UpBlock {
  std::vector<Resnet<Element>> resnets;
  std::optional<ConvolutionWeights<Element>> upsampler;
};

template <class Element>
struct Weights {
  std::optional<LinearWeights<Element>> post_quant;
  ConvolutionWeights<Element> conv_in;
  Resnet<Element> mid_first, mid_last;
  std::optional<PixelAttention<Element>> mid_attention;
  std::vector<UpBlock<Element>> up_blocks;
  NormParameters norm_out;
  ConvolutionWeights<Element> conv_out;

  /// Places them by a WeightReader.
  template <class Reader>
  static Weights place(Reader& reader, const AutoencoderConfig& config) {
    const Index latents = config.latent_channels, first = config.widths.front(), last = config.widths.back(),
                groups = config.groups;
    const auto resnet = [&reader, groups](const std::string& name, Index outputs, Index inputs) {
      Resnet<Element> out{.norm1 = reader.group_norm(name + ".norm1", inputs, groups),
                          .norm2 = reader.group_norm(name + ".norm2", outputs, groups),
                          .conv1 = reader.convolution(name + ".conv1", outputs, inputs),
                          .conv2 = reader.convolution(name + ".conv2", outputs, outputs),
                          .shortcut = {}};
      if (outputs != inputs) out.shortcut = reader.linear({name + ".conv_shortcut"}, outputs, inputs);
      return out;
    };

    Weights out;
    if (config.has_post_quant) out.post_quant = reader.linear({"post_quant_conv"}, latents, latents);
    out.conv_in = reader.convolution("decoder.conv_in", first, latents);
    out.mid_first = resnet("decoder.mid_block.resnets.0", first, first);
    if (config.has_attention) out.mid_attention = attention(reader, first, groups);
    out.mid_last = resnet("decoder.mid_block.resnets.1", first, first);
    Index width = first;
    for (std::size_t i = 0; i < config.widths.size(); ++i) {
      const std::string name = "decoder.up_blocks." + std::to_string(i);
      UpBlock<Element> block;
      for (Index r = 0; r < config.resnets; ++r) {
        block.resnets.push_back(resnet(name + ".resnets." + std::to_string(r), config.widths[i], width));
        width = config.widths[i];
      }
      if (i + 1 < config.widths.size())
        block.upsampler = reader.enlarging_convolution(name + ".upsamplers.0.conv", width);
      out.up_blocks.push_back(std::move(block));
    }
    out.norm_out = reader.group_norm("decoder.conv_norm_out", last, groups);
    out.conv_out = reader.convolution("decoder.conv_out", config.out_channels, last);
    return out;
  }

 private:
  template <class Reader>
  static PixelAttention<Element> attention(Reader& reader, Index width, Index groups) {
    const std::string name = "decoder.mid_block.attentions.0.";
    const auto layer = [&reader, &name](const char* now, const char* once) {
      return reader.present({name + now, name + once});
    };
    return {.norm = reader.group_norm(name + "group_norm", width, groups),
            .qkv = reader.linear({layer("to_q", "query"), layer("to_k", "key"), layer("to_v", "value")},
                                 width, width),
            .out = reader.linear({layer("to_out.0", "proj_attn")}, width, width)};
  }
};

}  // namespace weft::inline v0_1::vae
