// Kernels of images, (rows, columns, channels): group norms, and what is before and after a convolution's
// products.
#pragma once

#include <cub/block/block_reduce.cuh>

#include "weft/elementwise.cuh"

namespace weft::inline v0_1::kernels {

/// Writes the sum and sum of squares of a part of a group's numbers, in a fixed order, to out
/// (groups, parts, 2): a block for each part (x) of each group (y).
template <int Threads, class E>
__global__ __launch_bounds__(Threads) void part_moments(RowsOf<const E, 3> x, int group_width, double* out) {
  using Reduce = cub::BlockReduce<double, Threads>;
  __shared__ typename Reduce::TempStorage of_sums, of_squares;
  const Index pixels = static_cast<Index>(x.extent[0]) * x.extent[1], parts = gridDim.x, part = blockIdx.x,
              numbers = (pixels * (part + 1) / parts - pixels * part / parts) * group_width;
  const int first_channel = static_cast<int>(blockIdx.y) * group_width;
  double sum = 0, squares = 0;
  for (Index i = threadIdx.x; i < numbers; i += Threads) {
    const double value =
        static_cast<float>(x.row(pixels * part / parts + i / group_width)[first_channel + i % group_width]);
    sum += value;
    squares += value * value;
  }
  sum = Reduce(of_sums).Sum(sum);
  squares = Reduce(of_squares).Sum(squares);
  if (threadIdx.x == 0) {
    double* const to = out + (blockIdx.y * parts + part) * 2;
    to[0] = sum;
    to[1] = squares;
  }
}

/// The sums over a group's parts (groups, parts, 2).
struct SumParts {
  const double* parts;
  int count;
  double* out;
  Index stride;

  __device__ void operator()(Index group, int moment) const {
    double sum = 0;
    for (int part = 0; part < count; ++part) sum += parts[(group * count + part) * 2 + moment];
    out[group * stride + moment] = sum;
  }
};

/// A group norm as a factor and an offset for every channel: out (2, channels).
struct ChannelFactors {
  const double* moments;  // (groups, 2)
  Index stride;
  double count, epsilon;
  int group_width, channels;
  const float *scale, *shift;  // (channels)
  float* out;

  __device__ void operator()(Index channel, int) const {
    const double* const own = moments + channel / group_width * stride;
    const double mean = own[0] / count, variance = fmax(own[1] / count - mean * mean, 0.0),
                 factor = scale[channel] / sqrt(variance + epsilon);
    out[channel] = static_cast<float>(factor);
    out[channels + channel] = static_cast<float>(shift[channel] - mean * factor);
  }
};

/// A group norm and an activation of a number; null factors: none of both.
struct ChannelNorm {
  const float* factors;  // (2, channels)
  int channels;
  Activation activation;

  __device__ float operator()(float x, int channel) const {
    return factors ? activated(activation, x * factors[channel] + factors[channels + channel]) : x;
  }
};

template <class E>
struct NormPixels {
  RowsOf<const E, 3> x;
  ChannelNorm norm;
  RowsOf<E, 3> out;

  __device__ void operator()(Index pixel, int channel) const {
    out.row(pixel)[channel] = static_cast<E>(norm(static_cast<float>(x.row(pixel)[channel]), channel));
  }
};

/// Rows of x from `first_row` on, normed, with a column more on either side, as to (pixels, width); zeros
/// where x has no such pixel or channel.
template <class E>
struct LoadBlock {
  RowsOf<const E, 3> x;
  ChannelNorm norm;
  Index first_row;
  E* to;
  int width;

  __device__ void operator()(Index pixel, int channel) const {
    const int row_pixels = x.extent[1] + 2;
    const Index row = first_row + pixel / row_pixels, column = pixel % row_pixels - 1;
    const bool inside =
        0 <= row && row < x.extent[0] && 0 <= column && column < x.extent[1] && channel < x.width;
    float value = 0;
    if (inside)
      value = norm(static_cast<float>(x.data[row * x.stride[0] + column * x.stride[1] + channel]), channel);
    to[pixel * width + channel] = static_cast<E>(value);
  }
};

/// The epilogue of a convolution's products, whose rows of pixels have two more at their end: adds bias and
/// residual, if any, and writes pixel (i, j) to (i · scale, j · scale) of `out`.
template <class E>
struct StoreBlock {
  const float* product;  // (pixels, product_stride)
  Index product_stride;
  int columns, scale;
  const E* bias;                // (channels)
  RowsOf<const E, 3> residual;  // as `out`
  RowsOf<E, 3> out;             // (rows, columns, channels), from the first of these on

  __device__ void operator()(Index pixel, int channel) const {
    const Index row = pixel / columns, column = pixel % columns;
    float value = product[(row * (columns + 2) + column) * product_stride + channel] +
                  static_cast<float>(bias[channel]);
    const auto at = [&](const auto& image) {
      return image.data + row * scale * image.stride[0] + column * scale * image.stride[1] + channel;
    };
    if (residual.data) value += static_cast<float>(*at(residual));
    *at(out) = static_cast<E>(value);
  }
};

}  // namespace weft::inline v0_1::kernels
