// The decoder of AutoencoderKL in float64, straight from its definition: whole images, each operator a loop.
#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "weft/core/tensor.hpp"
#include "weft/vae/config.hpp"

namespace reference {

using weft::Index;

/// An image (channels, height, width).
struct Image {
  Index channels, height, width;
  std::vector<double> numbers;

  Image(Index c, Index h, Index w)
      : channels(c), height(h), width(w), numbers(static_cast<std::size_t>(c * h * w)) {}

  double& at(Index c, Index y, Index x) {
    return numbers[static_cast<std::size_t>((c * height + y) * width + x)];
  }
  double padded(Index c, Index y, Index x) const {
    const bool inside = 0 <= y && y < height && 0 <= x && x < width;
    return inside ? numbers[static_cast<std::size_t>((c * height + y) * width + x)] : 0;
  }
  Index pixels() const { return height * width; }
};

/// The decoder of a model's tensors, by diffusers' names.
class Decoder {
 public:
  Decoder(const weft::AutoencoderConfig& config, const std::map<std::string, weft::Tensor>& tensors)
      : config_(config), tensors_(tensors) {}

  /// Decodes latents (channels, height, width).
  Image decode(const weft::Tensor& latents) const {
    Image x(latents.shape[0], latents.shape[1], latents.shape[2]);
    for (std::size_t i = 0; i < latents.data.size(); ++i)
      x.numbers[i] = static_cast<double>(latents.data[i]) / config_.scaling_factor + config_.shift_factor;
    if (config_.has_post_quant) x = convolved(x, "post_quant_conv");
    x = convolved(x, "decoder.conv_in");
    x = resnet(x, "decoder.mid_block.resnets.0");
    if (config_.has_attention) x = attended(x, "decoder.mid_block.attentions.0.");
    x = resnet(x, "decoder.mid_block.resnets.1");
    for (std::size_t block = 0; block < config_.widths.size(); ++block) {
      const std::string name = "decoder.up_blocks." + std::to_string(block);
      for (Index r = 0; r < config_.resnets; ++r) x = resnet(x, name + ".resnets." + std::to_string(r));
      if (has(name + ".upsamplers.0.conv")) x = convolved(enlarged(x), name + ".upsamplers.0.conv");
    }
    return convolved(silu(normed(x, "decoder.conv_norm_out")), "decoder.conv_out");
  }

 private:
  bool has(const std::string& layer) const { return tensors_.contains(layer + ".weight"); }
  double number(const std::string& name, Index i) const {
    return static_cast<double>(tensors_.at(name).data.at(static_cast<std::size_t>(i)));
  }

  /// Convolves by a kernel of 3 × 3 or 1 × 1, or multiplies every pixel by a matrix.
  Image convolved(const Image& x, const std::string& layer) const {
    const weft::Shape& shape = tensors_.at(layer + ".weight").shape;
    const Index side = shape.size() == 4 ? shape[2] : 1;
    Image out(shape[0], x.height, x.width);
    for (Index o = 0; o < out.channels; ++o)
      for (Index i = 0; i < x.channels; ++i)
        for (Index k = 0; k < side * side; ++k) {
          const double weight = number(layer + ".weight", (o * x.channels + i) * side * side + k);
          for (Index y = 0; y < x.height; ++y)
            for (Index column = 0; column < x.width; ++column)
              out.at(o, y, column) +=
                  weight * x.padded(i, y + k / side - side / 2, column + k % side - side / 2);
        }
    for (Index o = 0; o < out.channels; ++o)
      for (Index p = 0; p < x.pixels(); ++p)
        out.numbers[static_cast<std::size_t>(o * x.pixels() + p)] += number(layer + ".bias", o);
    return out;
  }

  Image normed(const Image& x, const std::string& layer) const {
    Image out = x;
    const Index width = x.channels / config_.groups, count = width * x.pixels();
    for (Index group = 0; group < config_.groups; ++group) {
      double* const numbers = out.numbers.data() + group * count;
      double mean = 0, variance = 0;
      for (Index i = 0; i < count; ++i) mean += numbers[i] / static_cast<double>(count);
      for (Index i = 0; i < count; ++i)
        variance += (numbers[i] - mean) * (numbers[i] - mean) / static_cast<double>(count);
      for (Index i = 0; i < count; ++i) {
        const Index channel = group * width + i / x.pixels();
        numbers[i] = (numbers[i] - mean) / std::sqrt(variance + 1e-6) * number(layer + ".weight", channel) +
                     number(layer + ".bias", channel);
      }
    }
    return out;
  }

  static Image silu(Image x) {
    for (double& number : x.numbers) number /= 1 + std::exp(-number);
    return x;
  }

  static Image enlarged(const Image& x) {
    Image out(x.channels, 2 * x.height, 2 * x.width);
    for (Index c = 0; c < x.channels; ++c)
      for (Index y = 0; y < out.height; ++y)
        for (Index column = 0; column < out.width; ++column)
          out.at(c, y, column) = x.padded(c, y / 2, column / 2);
    return out;
  }

  static Image sum(Image a, const Image& b) {
    for (std::size_t i = 0; i < a.numbers.size(); ++i) a.numbers[i] += b.numbers[i];
    return a;
  }

  Image resnet(const Image& x, const std::string& name) const {
    const Image hidden = convolved(silu(normed(x, name + ".norm1")), name + ".conv1");
    return sum(convolved(silu(normed(hidden, name + ".norm2")), name + ".conv2"),
               has(name + ".conv_shortcut") ? convolved(x, name + ".conv_shortcut") : x);
  }

  Image attended(const Image& x, const std::string& name) const {
    const bool is_old = has(name + "query");
    const Image in = normed(x, name + "group_norm"), q = convolved(in, name + (is_old ? "query" : "to_q")),
                k = convolved(in, name + (is_old ? "key" : "to_k")),
                v = convolved(in, name + (is_old ? "value" : "to_v"));
    const Index pixels = x.pixels();
    const auto at = [pixels](const Image& image, Index c, Index p) {
      return image.numbers[static_cast<std::size_t>(c * pixels + p)];
    };
    Image out(x.channels, x.height, x.width);
    for (Index p = 0; p < pixels; ++p) {
      std::vector<double> weights;
      double sum = 0;
      for (Index key = 0; key < pixels; ++key) {
        double score = 0;
        for (Index c = 0; c < x.channels; ++c) score += at(q, c, p) * at(k, c, key);
        weights.push_back(std::exp(score / std::sqrt(static_cast<double>(x.channels))));
        sum += weights.back();
      }
      for (Index c = 0; c < x.channels; ++c)
        for (Index key = 0; key < pixels; ++key)
          out.numbers[static_cast<std::size_t>(c * pixels + p)] +=
              weights[static_cast<std::size_t>(key)] / sum * at(v, c, key);
    }
    return reference::Decoder::sum(convolved(out, name + (is_old ? "proj_attn" : "to_out.0")), x);
  }

  const weft::AutoencoderConfig& config_;
  const std::map<std::string, weft::Tensor>& tensors_;
};

}  // namespace reference
