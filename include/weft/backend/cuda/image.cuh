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

  /// Queues x → out, both (rows, columns, channels).
  template <class E>
  void run(Queue& queue, const View<const E, 3>& x, const View<E, 3>& out) const {
    constexpr int threads = 256;
    constexpr Index pixels_a_part = 64, most_parts = 4096;
    if (out.empty()) return;
    const kernels::RowsOf<const E, 3> from = x;
    const kernels::RowsOf<E, 3> to = out;
    const auto launch = [&]<int N>() {
      const auto parts =
          static_cast<unsigned>(std::clamp<Index>(from.count() / pixels_a_part, 1, most_parts));
      kernels::norm_pixels<N, threads, E>
          <<<dim3(parts, kernels::blocks_for(from.width / N, threads)), threads, 0, queue.stream()>>>(
              from, get(), to);
    };
    if (from.moves_by(8) && to.moves_by(8)) {
      launch.template operator()<8>();
    } else {
      launch.template operator()<1>();
    }
    check(cudaGetLastError(), "launching norm_pixels");
  }

  bool empty() const { return channels_ == 0; }
  /// Returns the norm as kernels read it, as long as this lives.
  kernels::NormOfChannels get() const {
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
  BlockConvolution(Queue& queue, const View<const E, 3>& x, Halo halo, const ChannelNorm& norm,
                   const ConvolutionWeights<E>& weights)
      : queue_(queue),
        x_(x),
        halo_(halo),
        norm_(norm),
        weights_(weights),
        row_pixels_(x.extent[1] + 2),
        rows_at_once_(std::clamp<Index>(
            image_workspace_bytes /
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
  const ChannelNorm& norm_;
  const ConvolutionWeights<E>& weights_;
  Index row_pixels_, rows_at_once_;
  Memory block_;    // (rows + 2, columns + 2, inputs)
  Memory product_;  // (rows, columns + 2, outputs)
};

/// The convolution of a few rows of a band at a time by weft's own product, whose taps read the band as it
/// lies, or as it is normed.
template <class E>
class TapConvolution {
 public:
  TapConvolution(Queue& queue, const View<const E, 3>& x, Halo halo, const ChannelNorm& norm,
                 const ConvolutionWeights<E>& weights)
      : queue_(queue), x_(x), halo_(halo), norm_(norm), weights_(weights) {}

  /// Convolves the `rows` of the band; returns false, having done nothing, if the kernel does not take it.
  [[nodiscard]] bool run(Index rows, const View<const E, 3>& residual, const View<E, 3>& out) {
    const bool is_narrow = out.extent[2] % vector != 0;
    const bool takes_it = is_narrow ? residual.empty() && weights_.scale() == 1 &&
                                          takes({}, View<E, 3>(nullptr, {1, 1, widened(out.extent[2])}))
                                    : takes(finish(residual), out);
    if (!takes_it) return false;
    Index rows_at_once = rows;
    if (!norm_.empty()) {
      const Index row_bytes = x_.extent[1] * x_.extent[2] * bytes_of<E>;
      rows_at_once = std::clamp<Index>(image_workspace_bytes / row_bytes - 2, 1, rows);
      normed_ = queue_.take(static_cast<std::size_t>(
          std::min(std::max(image_workspace_bytes, 3 * row_bytes), x_.extent[0] * row_bytes)));
    }
    for (Range some{0, 0}; some.end < rows;) {
      some = {some.end, std::min(some.end + rows_at_once, rows)};
      if (is_narrow) {
        run_narrow(some, out);
      } else {
        run_wide(some, residual, out);
      }
    }
    return true;
  }

 private:
  static constexpr Index vector = 8;  // outputs of the kernel are a multiple of it

  static Index widened(Index outputs) { return (outputs + vector - 1) / vector * vector; }

  kernels::Finish<E> finish(const View<const E, 3>& residual) const {
    kernels::Finish<E> out{.bias = weights_.bias.data};
    if (!residual.empty()) out.residual = residual;
    return out;
  }
  bool takes(const kernels::Finish<E>& finish, const View<E, 3>& out) const {
    return kernels::takes_product<E, E>({x_, weights_.taps[0], {}, finish, out});
  }

  void run_wide(Range rows, const View<const E, 3>& residual, const View<E, 3>& out) {
    const View<const E, 3> x = input(rows);
    const Index scale = weights_.scale();
    for (Index phase = 0; phase < weights_.taps.extent[0]; ++phase) {
      const auto of_phase = [&](auto image) {
        image.data +=
            (rows.begin * scale + phase / scale) * image.stride[0] + phase % scale * image.stride[1];
        image.extent[0] = rows.size();
        image.extent[1] = x.extent[1];
        image.stride[0] *= scale;
        image.stride[1] *= scale;
        return image;
      };
      multiply(rows, phase, x, finish(residual.empty() ? residual : of_phase(residual)), of_phase(out));
    }
  }

  /// Convolves to a few outputs, by way of memory where there are more.
  void run_narrow(Range rows, const View<E, 3>& out) {
    const Index wide = widened(out.extent[2]), pixels = rows.size() * out.extent[1];
    const Memory memory = queue_.take(static_cast<std::size_t>(pixels * wide * bytes_of<E>));
    const View<E, 3> product(static_cast<E*>(memory.get()), {rows.size(), out.extent[1], wide});
    multiply(rows, 0, input(rows), {}, product);
    kernels::for_each_number(queue_.stream(), pixels, out.extent[2],
                             kernels::EndConvolution<E>{View<const E, 3>(product), weights_.bias.data,
                                                        out.template slice<0>(rows)});
  }

  /// Returns the rows of x that some rows of the output read, normed.
  View<const E, 3> input(Range rows) const {
    const View<const E, 3> x = x_.template slice<0>(input_rows(rows));
    if (!normed_) return x;
    const View<E, 3> normed(static_cast<E*>(normed_.get()), x.extent);
    norm_.run(queue_, x, normed);
    return normed;
  }
  Range input_rows(Range rows) const {
    return {std::max<Index>(rows.begin - 1 + halo_.above, 0),
            std::min(rows.end + 1 + halo_.above, x_.extent[0])};
  }

  void multiply(Range rows, Index phase, const View<const E, 3>& x, const kernels::Finish<E>& finish,
                const View<E, 3>& out) const {
    kernels::ProductArguments<E, E> arguments{x, weights_.taps[phase], {}, finish, out};
    const Index first = rows.begin - 1 + halo_.above - input_rows(rows).begin;
    for (Index tap = 0; tap < weights_.taps.extent[1]; ++tap) {
      const PixelOffset at = tap_offset(weights_.scale(), phase, tap);
      arguments.taps[static_cast<std::size_t>(tap)] = {static_cast<int>(first + at.row),
                                                       static_cast<int>(at.column - 1)};
    }
    kernels::product(queue_.stream(), arguments, queue_.products().partial_sums());
  }

  Queue& queue_;
  View<const E, 3> x_;
  Halo halo_;
  const ChannelNorm& norm_;
  const ConvolutionWeights<E>& weights_;
  Memory normed_;  // rows of x; null: x needs no norm
};

/// Calls act, which is a template on it, with how many of a group's channels kernels read at once.
template <class E, class Act>
void with_vector(const kernels::RowsOf<const E, 3>& x, Index group_width, const Act& act) {
  if constexpr (sizeof(E) == 2)
    if (x.moves_by(8) && group_width % 8 == 0) return act.template operator()<8>();
  if (x.moves_by(8) && group_width % 4 == 0) return act.template operator()<4>();
  act.template operator()<1>();
}

}  // namespace detail

/// Computes every group's sum and sum of squares over a band: x (rows, columns, channels) → out (groups, 2).
template <class E>
void group_moments(Queue& queue, const View<E, 3>& x, const View<double, 2>& out) {
  constexpr int threads = 256;
  constexpr Index most_parts = 512, pixels_a_part = 64;
  const Index groups = out.extent[0], pixels = x.extent[0] * x.extent[1], width = x.extent[2] / groups;
  const auto span =
      queue.span(Work{"group_moments", {x.extent[0], x.extent[1], x.extent[2]}, 0, x.size() * bytes_of<E>});
  const auto parts = static_cast<unsigned>(std::clamp<Index>(pixels / pixels_a_part, 1, most_parts));
  const Buffer<double> sums(queue, groups * parts * 2);
  double* const of_parts = sums.view(std::array{sums.size()}).data;
  using Number = std::remove_const_t<E>;
  const kernels::RowsOf<const Number, 3> rows = View<const Number, 3>(x);
  detail::with_vector(rows, width, [&]<int N>() {
    const auto group_vectors = static_cast<int>(width) / N;
    if (group_vectors > threads)
      throw std::logic_error(sentence("a group norm has groups of ", width, " channels, which are too many"));
    kernels::part_moments<N, threads, Number>
        <<<dim3(parts,
                kernels::blocks_for(x.extent[2] / N, kernels::vectors_at_once(threads, group_vectors))),
           threads, 0, queue.stream()>>>(rows, static_cast<int>(width), of_parts);
  });
  check(cudaGetLastError(), "launching group_moments");
  kernels::sum_parts<><<<static_cast<unsigned>(groups), dim3(kernels::warp_size, 2), 0, queue.stream()>>>(
      of_parts, static_cast<int>(parts), out.data, out.stride[0]);
  check(cudaGetLastError(), "launching group_moments");
}

/// Norms and activates a band, by a norm that is not empty: x → out, both (rows, columns, channels). May be
/// in place.
template <class E>
void group_norm(Queue& queue, In<E, 3> x, const GroupNorm& norm, const View<E, 3>& out) {
  const auto span =
      queue.span(Work{"group_norm", {x.extent[0], x.extent[1], x.extent[2]}, 0, 2 * x.size() * bytes_of<E>});
  detail::ChannelNorm(queue, norm, x.extent[2]).run(queue, x, out);
}

/// Copies pixels to planes: x (rows, columns, channels) → out (channels, rows, columns), which is dense.
template <class E>
void to_planes(Queue& queue, const View<E, 3>& x, const View<float, 3>& out) {
  using Number = std::remove_const_t<E>;
  const kernels::RowsOf<const Number, 3> from = View<const Number, 3>(x);
  kernels::for_each_number(queue.stream(), from.count(), from.width,
                           kernels::ToPlanes<Number>{from, out.data, from.count()});
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
  const Index rows = out.extent[0] / weights.scale();
  const detail::ChannelNorm channel_norm(queue, norm, x.extent[2]);
  if constexpr (sizeof(E) == 2)
    if (detail::TapConvolution<E>(queue, x, halo, channel_norm, weights).run(rows, residual, out)) return;
  detail::BlockConvolution<E>(queue, x, halo, channel_norm, weights).run(rows, residual, out);
}

}  // namespace weft::inline v0_1::cuda
