// Convolutions and group norms of images on a CUDA device. Images are (rows, columns, channels).
#pragma once

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/image_operators.hpp"
#include "weft/image.cuh"

namespace weft::inline v0_1::cuda {

namespace detail {

/// A group norm as a factor and an offset for every channel, in memory of the queue.
class ChannelNorm {
 public:
  ChannelNorm(Queue& queue, const GroupNorm& norm, Index channels) : activation_(norm.activation) {
    if (norm.empty()) return;
    factors_ = Buffer<float>(queue, 2 * channels);
    channels_ = channels;
    kernels::for_each_number(
        queue.stream(), channels, 1,
        kernels::ChannelFactors{norm.moments.data, norm.moments.stride[0], static_cast<double>(norm.count),
                                static_cast<double>(norm.affine.epsilon),
                                static_cast<int>(channels / norm.groups()), static_cast<int>(channels),
                                norm.affine.scale.data, norm.affine.shift.data, data()});
  }

  /// Returns the norm as kernels read it, as long as this lives.
  kernels::ChannelNorm get() const {
    return {channels_ > 0 ? data() : nullptr, static_cast<int>(channels_), activation_};
  }

 private:
  float* data() const { return factors_.view(std::array{factors_.size()}).data; }

  Activation activation_;
  Index channels_ = 0;  // 0: no norm
  Buffer<float> factors_;
};

/// The convolution of a few rows of a band at a time: they are normed into a block with a row more on every
/// side and a column more, zeros beyond the image; there, what a tap reads of all pixels is one matrix, the
/// block from some pixel on, and a product with its weights is added to those before, in float32.
template <class E>
class BlockConvolution {
 public:
  BlockConvolution(Queue& queue, const View<const E, 3>& x, Halo halo, const GroupNorm& norm,
                   const ConvolutionWeights<E>& weights)
      : queue_(queue),
        x_(x),
        halo_(halo),
        norm_(queue, norm, x.extent[2]),
        weights_(weights),
        row_pixels_(x.extent[1] + 2),
        rows_at_once_(std::clamp<Index>(
            convolution_block_bytes /
                (row_pixels_ * (input_stride() * bytes_of<E> + output_stride() * bytes_of<float>)),
            1, x.extent[0])),
        block_(queue.take(bytes((rows_at_once_ + 2) * row_pixels_ * input_stride() * bytes_of<E>))),
        product_(queue.take(bytes(rows_at_once_ * row_pixels_ * output_stride() * bytes_of<float>))) {}

  /// Convolves the `rows` of the band.
  void run(Index rows, const View<const E, 3>& residual, const View<E, 3>& out) {
    for (Range some{0, 0}; some.end < rows;) {
      some = {some.end, std::min(some.end + rows_at_once_, rows)};
      load(some);
      for (Index phase = 0; phase < weights_.taps.extent[0]; ++phase) {
        multiply(phase, some.size());
        store(phase, some, residual, out);
      }
    }
  }

 private:
  static std::size_t bytes(Index count) { return static_cast<std::size_t>(count); }
  /// Elements from pixel to pixel, so that each begins at a multiple of 16 bytes at least.
  static Index padded(Index channels) { return (channels + 7) / 8 * 8; }
  Index input_stride() const { return padded(weights_.inputs()); }
  Index output_stride() const { return padded(weights_.outputs()); }

  void load(Range rows) {
    kernels::for_each_number(
        queue_.stream(), (rows.size() + 2) * row_pixels_, input_stride(),
        kernels::LoadBlock<E>{x_, norm_.get(), rows.begin - 1 + halo_.above, static_cast<E*>(block_.get()),
                              static_cast<int>(input_stride())});
  }

  void multiply(Index phase, Index rows) {
    const View<const E, 4>& taps = weights_.taps;
    const Index pixels = rows * row_pixels_ - 2;
    const View<float, 2> product(static_cast<float*>(product_.get()), {pixels, weights_.outputs()},
                                 {output_stride(), 1});
    for (Index tap = 0; tap < taps.extent[1]; ++tap) {
      const PixelOffset from = tap_offset(weights_.scale(), phase, tap);
      const View<const E, 2> x(
          static_cast<const E*>(block_.get()) + (from.row * row_pixels_ + from.column) * input_stride(),
          {pixels, weights_.inputs()}, {input_stride(), 1});
      const LinearWeights<E> layer{taps[phase][tap], {}};
      if (!run_product(queue_, x, layer, product, CUBLASLT_EPILOGUE_DEFAULT,
                       tap > 0 ? product.data : nullptr))
        throw std::runtime_error(sentence("cuBLASLt has no product of ", pixels, " pixels, ",
                                          weights_.inputs(), " → ", weights_.outputs(),
                                          " channels in this type"));
    }
  }

  void store(Index phase, Range rows, const View<const E, 3>& residual, const View<E, 3>& out) {
    const Index scale = weights_.scale(), columns = x_.extent[1];
    const auto from_here = [&](const auto& image) {
      const Range own_rows{rows.begin * scale + phase / scale, image.extent[0]},
          own_columns{phase % scale, image.extent[1]};
      return image.template slice<0>(own_rows).template slice<1>(own_columns);
    };
    kernels::StoreBlock<E> body{static_cast<const float*>(product_.get()),
                                output_stride(),
                                static_cast<int>(columns),
                                static_cast<int>(scale),
                                weights_.bias.data,
                                {},
                                from_here(out)};
    body.residual.data = nullptr;
    if (!residual.empty()) body.residual = from_here(residual);
    kernels::for_each_number(queue_.stream(), rows.size() * columns, weights_.outputs(), body);
  }

  Queue& queue_;
  View<const E, 3> x_;
  Halo halo_;
  ChannelNorm norm_;
  const ConvolutionWeights<E>& weights_;
  Index row_pixels_, rows_at_once_;
  Memory block_;    // (rows + 2, columns + 2, inputs)
  Memory product_;  // (rows, columns + 2, outputs)
};

}  // namespace detail

/// Computes every group's sum and sum of squares over a band: x (rows, columns, channels) → out (groups, 2).
template <class E>
void group_moments(Queue& queue, const View<E, 3>& x, const View<double, 2>& out) {
  constexpr int threads = 256, most_parts = 64, pixels_a_part = 256;
  const Index groups = out.extent[0], pixels = x.extent[0] * x.extent[1];
  const auto span =
      queue.span(Work{"group_moments", {x.extent[0], x.extent[1], x.extent[2]}, 0, x.size() * bytes_of<E>});
  const auto parts = static_cast<unsigned>(std::clamp<Index>(pixels / pixels_a_part, 1, most_parts));
  const Buffer<double> sums(queue, groups * parts * 2);
  double* const of_parts = sums.view(std::array{sums.size()}).data;
  using Number = std::remove_const_t<E>;
  kernels::part_moments<threads, Number>
      <<<dim3(parts, static_cast<unsigned>(groups)), threads, 0, queue.stream()>>>(
          View<const Number, 3>(x), static_cast<int>(x.extent[2] / groups), of_parts);
  check(cudaGetLastError(), "launching group_moments");
  kernels::for_each_number(queue.stream(), groups, 2,
                           kernels::SumParts{of_parts, static_cast<int>(parts), out.data, out.stride[0]});
}

/// Norms and activates a band: x → out, both (rows, columns, channels). May be in place.
template <class E>
void group_norm(Queue& queue, In<E, 3> x, const GroupNorm& norm, const View<E, 3>& out) {
  const auto span =
      queue.span(Work{"group_norm", {x.extent[0], x.extent[1], x.extent[2]}, 0, 2 * x.size() * bytes_of<E>});
  const detail::ChannelNorm channel_norm(queue, norm, x.extent[2]);
  kernels::for_each_number(queue.stream(), x.extent[0] * x.extent[1], x.extent[2],
                           kernels::NormPixels<E>{x, channel_norm.get(), out});
}

/// Norms and convolves a band: x (halo.above + rows + halo.below, columns, in) → out
/// (rows · scale, columns · scale, out), plus the residual, which may be empty, or `out` itself. The taps'
/// rows begin at even elements.
template <class E>
void convolve(Queue& queue, In<E, 3> x, Halo halo, const GroupNorm& norm,
              const ConvolutionWeights<E>& weights, In<E, 3> residual, const View<E, 3>& out) {
  if (out.empty()) return;
  const Index pixels = out.extent[0] * out.extent[1], inputs = weights.inputs(), outputs = weights.outputs();
  const auto span = queue.span(
      Work{"convolve",
           {out.extent[0], out.extent[1], inputs, outputs},
           2.0 * static_cast<double>(pixels * weights.taps.extent[1]) * static_cast<double>(inputs * outputs),
           (x.size() + residual.size() + out.size()) * bytes_of<E>});
  detail::BlockConvolution<E>(queue, x, halo, norm, weights)
      .run(out.extent[0] / weights.scale(), residual, out);
}

}  // namespace weft::inline v0_1::cuda
