// Convolutions and group norms of images on the host. Images are (rows, columns, channels).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "weft/backend/host/linear.hpp"
#include "weft/backend/image_operators.hpp"

namespace weft::inline v0_1::host {

namespace detail {

/// A group norm as a factor and an offset for every channel.
class ChannelNorm {
 public:
  ChannelNorm(const GroupNorm& norm, Index channels) : activation_(norm.activation) {
    if (norm.empty()) return;
    const auto count = static_cast<double>(norm.count);
    for (Index c = 0; c < channels; ++c) {
      const View<const double, 1> sums = norm.moments[c * norm.groups() / channels];
      const double mean = sums[0] / count, variance = std::max(sums[1] / count - mean * mean, 0.0);
      const double factor =
          norm.affine.scale[c] / std::sqrt(variance + static_cast<double>(norm.affine.epsilon));
      factors_.push_back(static_cast<float>(factor));
      offsets_.push_back(static_cast<float>(norm.affine.shift[c] - mean * factor));
    }
  }

  /// Norms and activates a row of pixels: x → out, both (columns, channels).
  void apply(View<const float, 2> x, View<float, 2> out) const {
    for (Index p = 0; p < x.extent[0]; ++p) {
      const View<float, 1> pixel = out[p];
      std::copy_n(x[p].data, pixel.size(), pixel.data);
      if (factors_.empty()) continue;
      for (Index c = 0; c < pixel.size(); ++c)
        pixel[c] = pixel[c] * factors_[static_cast<std::size_t>(c)] + offsets_[static_cast<std::size_t>(c)];
      activate(activation_, pixel);
    }
  }

 private:
  Activation activation_;
  std::vector<float> factors_, offsets_;  // (channels), or empty: no norm
};

/// The convolution of a few rows of a band at a time. They are normed into a block with a row more on every
/// side and a column more, zeros beyond the image; there, what a tap reads of all pixels is one matrix, the
/// block from some pixel on.
class RowConvolution {
 public:
  RowConvolution(View<const float, 3> x, Halo halo, const ChannelNorm& norm,
                 const ConvolutionWeights<float>& weights, Index most_rows)
      : x_(x),
        halo_(halo),
        norm_(norm),
        weights_(weights),
        row_pixels_(x.extent[1] + 2),
        block_((most_rows + 2) * row_pixels_, weights.inputs()),
        product_(most_rows * row_pixels_, weights.outputs()) {}

  /// Computes what the rows in `range` of the band become.
  void run(Range range, View<const float, 3> residual, View<float, 3> out) {
    load(range);
    for (Index phase = 0; phase < weights_.taps.extent[0]; ++phase) {
      multiply(phase, range.size());
      store(phase, range, residual, out);
    }
  }

 private:
  void load(Range range) {
    const Index channels = weights_.inputs(), columns = x_.extent[1];
    for (Index row = range.begin - 1; row <= range.end; ++row) {
      const View<float, 2> to(block_.data() + (row - range.begin + 1) * row_pixels_ * channels,
                              {row_pixels_, channels});
      const Index from = row + halo_.above;
      if (0 <= from && from < x_.extent[0]) {
        norm_.apply(x_[from], to.slice<0>({1, columns + 1}));
        for (const Index side : {Index{0}, columns + 1}) std::fill_n(to[side].data, channels, 0.0f);
      } else {
        clear(to);
      }
    }
  }

  /// Sums the phase's taps of all pixels; the last two columns of each row of the product are not the
  /// image's.
  void multiply(Index phase, Index rows) {
    const View<const float, 4>& taps = weights_.taps;
    const Index pixels = rows * row_pixels_ - 2, inputs = weights_.inputs();
    const View<float, 2> product(product_.data(), {pixels, weights_.outputs()});
    for (Index p = 0; p < pixels; ++p) std::copy_n(weights_.bias.data, weights_.outputs(), product[p].data);
    for (Index tap = 0; tap < taps.extent[1]; ++tap) {
      const PixelOffset from = tap_offset(weights_.scale(), phase, tap);
      add_transposed({block_.data() + (from.row * row_pixels_ + from.column) * inputs, {pixels, inputs}},
                     taps[phase][tap], product);
    }
  }

  void store(Index phase, Range range, View<const float, 3> residual, View<float, 3> out) {
    const Index scale = weights_.scale(), outputs = weights_.outputs();
    for (Index row = range.begin; row < range.end; ++row)
      for (Index column = 0; column < x_.extent[1]; ++column) {
        const Index to_row = row * scale + phase / scale, to_column = column * scale + phase % scale;
        const float* const sums = product_.data() + ((row - range.begin) * row_pixels_ + column) * outputs;
        const View<float, 1> to = out[to_row][to_column];
        if (residual.empty()) {
          std::copy_n(sums, outputs, to.data);
        } else {
          const View<const float, 1> added = residual[to_row][to_column];
          for (Index c = 0; c < outputs; ++c) to[c] = sums[c] + added[c];
        }
      }
  }

  View<const float, 3> x_;
  Halo halo_;
  const ChannelNorm& norm_;
  const ConvolutionWeights<float>& weights_;
  Index row_pixels_;
  Matrix block_, product_;
};

}  // namespace detail

/// Computes every group's sum and sum of squares over a band: x (rows, columns, channels) → out (groups, 2).
inline void group_moments(Queue& queue, In<float, 3> x, View<double, 2> out) {
  const Index rows = x.extent[0], channels = x.extent[2], groups = out.extent[0];
  std::vector<double> sums(static_cast<std::size_t>(rows * 2 * channels));
  const View<double, 3> of_rows(sums.data(), {rows, 2, channels});
  queue.workers().parallel_for(rows, 1, [&x, &of_rows, channels](Range part) {
    for (Index r = part.begin; r < part.end; ++r)
      for (Index p = 0; p < x.extent[1]; ++p) {
        const View<const float, 1> pixel = x[r][p];
        for (Index c = 0; c < channels; ++c) {
          const double value = pixel[c];
          of_rows[r][0][c] += value;
          of_rows[r][1][c] += value * value;
        }
      }
  });
  for (Index g = 0; g < groups; ++g)
    for (Index moment = 0; moment < 2; ++moment) {
      const Range own{g * channels / groups, (g + 1) * channels / groups};
      double sum = 0;
      for (Index r = 0; r < rows; ++r)
        for (Index c = own.begin; c < own.end; ++c) sum += of_rows[r][moment][c];
      out[g][moment] = sum;
    }
}

/// Norms and activates a band: x → out, both (rows, columns, channels). May be in place.
inline void group_norm(Queue& queue, In<float, 3> x, const GroupNorm& norm, View<float, 3> out) {
  const detail::ChannelNorm channel_norm(norm, x.extent[2]);
  queue.workers().parallel_for(x.extent[0], 1, [&x, &channel_norm, &out](Range rows) {
    for (Index r = rows.begin; r < rows.end; ++r) channel_norm.apply(x[r], out[r]);
  });
}

/// Copies pixels to planes: x (rows, columns, channels) → out (channels, rows, columns), which is dense.
inline void to_planes(Queue& queue, In<float, 3> x, View<float, 3> out) {
  queue.workers().parallel_for(x.extent[0], 1, [&x, &out](Range rows) {
    for (Index r = rows.begin; r < rows.end; ++r)
      for (Index p = 0; p < x.extent[1]; ++p)
        for (Index c = 0; c < x.extent[2]; ++c) out[c][r][p] = x[r][p][c];
  });
}

/// Norms and convolves a band: x (halo.above + rows + halo.below, columns, in) → out
/// (rows · scale, columns · scale, out), plus the residual, which may be empty, or `out` itself.
inline void convolve(Queue& queue, In<float, 3> x, Halo halo, const GroupNorm& norm,
                     const ConvolutionWeights<float>& weights, In<float, 3> residual, View<float, 3> out) {
  constexpr Index pixels_at_once = 4096;  // of a worker
  if (out.empty()) return;
  const Index rows = x.extent[0] - halo.above - halo.below;
  const detail::ChannelNorm channel_norm(norm, x.extent[2]);
  queue.workers().parallel_for(rows, 1, [&x, halo, &channel_norm, &weights, &residual, &out](Range part) {
    const Index at_once = std::clamp(pixels_at_once / (x.extent[1] + 2), Index{1}, part.size());
    detail::RowConvolution convolution(x, halo, channel_norm, weights, at_once);
    for (Range some{part.begin, part.begin}; some.end < part.end;) {
      some = {some.end, std::min(some.end + at_once, part.end)};
      convolution.run(some, residual, out);
    }
  });
}

}  // namespace weft::inline v0_1::host
