// The decoder of AutoencoderKL, of one rank's band of rows.
#pragma once

#include <array>
#include <optional>
#include <utility>

#include "weft/core/merge.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/autoencoder_kl.hpp"
#include "weft/vae/bands.hpp"

namespace weft::inline v0_1::vae {

/// Decodes this rank's band of an image, once. The image does not depend on the bands, up to rounding:
/// convolutions read the rows beside a band, norms the statistics of the whole image, and attention all
/// pixels.
template <class Backend, Communicator Comm>
class Decoder {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;
  using Image = Band<Backend>;

  Decoder(Queue& queue, Workspace<Backend>& workspace, const AutoencoderKL<Backend>& model,
          Bands<Backend, Comm>& bands)
      : queue_(queue),
        workspace_(workspace),
        config_(model.config()),
        weights_(model.weights()),
        bands_(bands),
        moments_(workspace, 2 * config_.groups) {}

  /// Returns the band of the image: latents (channels, the band's rows, width), as a denoiser leaves them.
  /// `progress` is called with the blocks of convolutions that are queued.
  Image decode(const View<const float, 3>& latents, const Progress& progress) {
    Index done = 0, all = 2;
    for (const UpBlock<Element>& block : weights_.up_blocks) all += static_cast<Index>(block.resnets.size());
    const auto step = [&progress, &done, all] {
      if (progress) progress(++done, all);
    };
    Image x = scaled(latents);
    if (weights_.post_quant) x = projected(x, *weights_.post_quant);
    x = convolved(x, nullptr, weights_.conv_in);
    x = passed(std::move(x), weights_.mid_first);
    if (weights_.mid_attention) x = attended(std::move(x), *weights_.mid_attention);
    x = passed(std::move(x), weights_.mid_last);
    step();
    for (const UpBlock<Element>& block : weights_.up_blocks) {
      for (const Resnet<Element>& resnet : block.resnets) {
        x = passed(std::move(x), resnet);
        step();
      }
      if (block.upsampler) x = convolved(x, nullptr, *block.upsampler);
    }
    x = convolved(x, &weights_.norm_out, weights_.conv_out);
    step();
    return x;
  }

 private:
  using Pixels = View<Element, 2>;  // (pixels, features)
  using Convolution = ConvolutionWeights<Element>;
  template <class T>
  using Array = typename Workspace<Backend>::template Array<T>;

  /// Returns the band of latents on the autoencoder's own scale.
  Image scaled(const View<const float, 3>& latents) {
    const auto [channels, rows, width] = latents.extent;
    const auto scale = static_cast<float>(config_.scaling_factor),
               shift = static_cast<float>(config_.shift_factor);
    Tensor values({rows, width, channels});
    for (Index row = 0; row < rows; ++row)
      for (Index column = 0; column < width; ++column)
        for (Index c = 0; c < channels; ++c)
          values.view<3>()[row][column][c] = latents[c][row][column] / scale + shift;
    Image out(workspace_, rows, width, channels);
    upload(queue_, values, out.own());
    return out;
  }

  Image projected(const Image& x, const LinearWeights<Element>& weights) {
    Image out(workspace_, x.rows(), x.columns(), weights.outputs());
    linear(queue_, x.pixels(), weights, out.pixels());
    return out;
  }

  /// Returns the norm of x, for the next operator: the moments are overwritten by the next norm's.
  GroupNorm normed(const Image& x, const NormParameters& norm, Activation activation) {
    const auto span = queue_.span("vae", "moments");
    const View<double, 2> moments = moments_.view(std::array{norm.groups, Index{2}});
    group_moments(queue_, x.own(), moments);
    bands_.sum(queue_, {moments.data, {moments.size()}});
    const Index rows = bands_.rows_of_image(x.columns());
    return {norm.affine, moments, rows * x.columns() * x.channels() / norm.groups, activation};
  }

  Image convolved(const Image& x, const NormParameters* norm, const Convolution& weights) {
    Image out(workspace_, x.rows() * weights.scale(), x.columns() * weights.scale(), weights.outputs());
    convolve_into(out, x, norm, weights, {});
    return out;
  }

  /// Convolves x, after its norm and SiLU if there is one, whose moments are computed while the neighbours'
  /// rows come.
  void convolve_into(const Image& out, const Image& x, const NormParameters* norm, const Convolution& weights,
                     const View<const Element, 3>& residual) {
    auto coming = bands_.exchange(queue_, x);
    const GroupNorm of_image = norm ? normed(x, *norm, Activation::silu) : GroupNorm{};
    bands_.wait(queue_, coming);
    const auto span = queue_.span("vae", "convolve");
    convolve(queue_, x.with(bands_.halo()), bands_.halo(), of_image, weights, residual, out.own());
  }

  Image passed(Image x, const Resnet<Element>& resnet) {
    const Image hidden = convolved(x, &resnet.norm1, resnet.conv1);
    if (resnet.shortcut) x = projected(x, *resnet.shortcut);
    convolve_into(x, hidden, &resnet.norm2, resnet.conv2, x.own());
    return x;
  }

  Image attended(Image x, const PixelAttention<Element>& layer) {
    const Index pixels = x.pixels().extent[0], width = x.channels();
    Image between(workspace_, x.rows(), x.columns(), width),
        qkv(workspace_, x.rows(), x.columns(), 3 * width);
    group_norm(queue_, x.own(), normed(x, layer.norm, Activation::none), between.own());
    linear(queue_, between.pixels(), layer.qkv, qkv.pixels());

    const Array<float> lse(workspace_, pixels);
    const auto part = [](const Pixels& all, Range features) {
      return as_head(all.template slice<1>(features));
    };
    const View<Element, 4> q = part(qkv.pixels(), {0, width}), out = as_head(between.pixels());
    bands_.rotate(
        queue_, workspace_, qkv.pixels().template slice<1>({width, 3 * width}), x.columns(),
        [this, &part, &q, &out, &lse, pixels, width, output = Output::replace](const Pixels& kv) mutable {
          const auto span = queue_.span("vae", "attention");
          attention(queue_, q, part(kv, {0, width}), part(kv, {width, 2 * width}), out,
                    lse.view(std::array{pixels, Index{1}, Index{1}}), std::exchange(output, Output::merge));
        });
    linear(queue_, between.pixels(), layer.out, x.pixels(), {.residual = x.pixels()});
    return x;
  }

  /// Returns pixels as attention's tokens of one image and one head.
  static View<Element, 4> as_head(const Pixels& x) {
    return {x.data, {x.extent[0], 1, 1, x.extent[1]}, {x.stride[0], x.stride[0], x.stride[0], 1}};
  }

  Queue& queue_;
  Workspace<Backend>& workspace_;
  const AutoencoderConfig& config_;
  const Weights<Element>& weights_;
  Bands<Backend, Comm>& bands_;
  Array<double> moments_;  // (groups, 2) of the latest norm
};

}  // namespace weft::inline v0_1::vae
