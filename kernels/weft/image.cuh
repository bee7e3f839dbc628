// Kernels of images, (rows, columns, channels): group norms, and what is before and after a convolution's
// products.
#pragma once

#include "weft/core/host_device.hpp"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::kernels {

/// Returns how many vectors of N channels a block of so many threads takes: those of whole groups.
WEFT_HOST_DEVICE constexpr int vectors_at_once(int threads, int group_vectors) {
  return threads / group_vectors * group_vectors;
}

/// Writes the sum and sum of squares of a part of each group's numbers, in a fixed order, to out
/// (groups, parts, 2): a part of the pixels a block (x), and up to vectors_at_once() of N channels (y). A
/// group is a number of whole vectors, at most `Threads`.
template <int N, int Threads, class E>
__global__ __launch_bounds__(Threads) void part_moments(RowsOf<const E, 3> x, int group_width, double* out) {
  __shared__ double moments[Threads][2];
  const int group_lanes = group_width / N, at_once = vectors_at_once(Threads, group_lanes),
            first = static_cast<int>(blockIdx.y) * at_once, lanes = min(x.width / N - first, at_once),
            rows = Threads / lanes, row = static_cast<int>(threadIdx.x) / lanes,
            lane = static_cast<int>(threadIdx.x) % lanes;
  const Index pixels = static_cast<Index>(x.extent[0]) * x.extent[1], parts = gridDim.x, part = blockIdx.x,
              end = pixels * (part + 1) / parts;
  double sum = 0, squares = 0;
  for (Index pixel = pixels * part / parts + row; row < rows && pixel < end; pixel += rows) {
    float v[N];
    load<N>(x.row(pixel) + N * (first + lane), v);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const double number = v[i];
      sum += number;
      squares += number * number;
    }
  }
  moments[threadIdx.x][0] = sum;
  moments[threadIdx.x][1] = squares;
  __syncthreads();
  for (int i = threadIdx.x; i < lanes / group_lanes * 2; i += Threads) {
    const int group = i / 2, moment = i % 2;
    double of_group = 0;
    for (int r = 0; r < rows; ++r)
      for (int l = 0; l < group_lanes; ++l) of_group += moments[r * lanes + group * group_lanes + l][moment];
    out[((first / group_lanes + group) * parts + part) * 2 + moment] = of_group;
  }
}

/// Sums the moments of a group's parts (groups, parts, 2), a warp each: out (groups, 2).
template <class = void>
__global__ void sum_parts(const double* of_parts, int parts, double* out, Index stride) {
  const int group = static_cast<int>(blockIdx.x), moment = static_cast<int>(threadIdx.y),
            lane = static_cast<int>(threadIdx.x);
  double sum = 0;
  for (int part = lane; part < parts; part += warp_size) sum += of_parts[(group * parts + part) * 2 + moment];
  for (int offset = warp_size / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(all_lanes, sum, offset);
  if (lane == 0) out[group * stride + moment] = sum;
}

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

/// A group norm and an activation; null factors: none of both.
struct NormOfChannels {
  const float* factors;  // (2, channels)
  int channels;
  Activation activation;

  /// Returns the norm of a number, as precisely as E tells.
  template <class E>
  __device__ float normed(float x, int channel) const {
    return factors ? activated_for<E>(activation, x * factors[channel] + factors[channels + channel]) : x;
  }
};

/// Writes the norm of x, which has factors, N channels at a time: some pixels a block (x), and up to
/// `Threads` vectors of N channels (y), whose factors a thread keeps.
template <int N, int Threads, class E>
__global__ __launch_bounds__(Threads) void norm_pixels(RowsOf<const E, 3> x, NormOfChannels norm,
                                                       RowsOf<E, 3> out) {
  const int first = static_cast<int>(blockIdx.y) * Threads, lanes = min(x.width / N - first, Threads),
            rows = Threads / lanes, row = static_cast<int>(threadIdx.x) / lanes,
            channel = N * (first + static_cast<int>(threadIdx.x) % lanes);
  if (row >= rows) return;
  float factor[N], offset[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    factor[i] = norm.factors[channel + i];
    offset[i] = norm.factors[norm.channels + channel + i];
  }
  const Index pixels = static_cast<Index>(x.extent[0]) * x.extent[1], parts = gridDim.x, part = blockIdx.x,
              end = pixels * (part + 1) / parts;
  const bool dense =
      x.stride[0] == x.extent[1] * x.stride[1] && out.stride[0] == out.extent[1] * out.stride[1];
#pragma unroll 2
  for (Index pixel = pixels * part / parts + row; pixel < end; pixel += rows) {
    float v[N];
    load<N>((dense ? x.data + pixel * x.stride[1] : x.row(pixel)) + channel, v);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = activated_for<E>(norm.activation, v[i] * factor[i] + offset[i]);
    store<N>(v, (dense ? out.data + pixel * out.stride[1] : out.row(pixel)) + channel);
  }
}

/// planes (channels, pixels) = x (pixels, channels).
template <class E>
struct ToPlanes {
  RowsOf<const E, 3> x;
  float* planes;
  Index pixels;

  __device__ void operator()(Index pixel, int channel) const {
    planes[channel * pixels + pixel] = static_cast<float>(x.row(pixel)[channel]);
  }
};

/// Rows of x from `first_row` on, normed, with a column more on either side, as to (pixels, width); zeros
/// where x has no such pixel or channel.
template <class E>
struct LoadBlock {
  RowsOf<const E, 3> x;
  NormOfChannels norm;
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
      value = norm.normed<E>(static_cast<float>(x.data[row * x.stride[0] + column * x.stride[1] + channel]),
                             channel);
    to[pixel * width + channel] = static_cast<E>(value);
  }
};

/// The end of a convolution whose product has more channels than it: adds the bias.
template <class E>
struct EndConvolution {
  RowsOf<const E, 3> product;
  const E* bias;  // (channels)
  RowsOf<E, 3> out;

  __device__ void operator()(Index pixel, int channel) const {
    out.row(pixel)[channel] =
        static_cast<E>(static_cast<float>(product.row(pixel)[channel]) + static_cast<float>(bias[channel]));
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
