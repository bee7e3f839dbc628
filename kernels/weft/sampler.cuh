// The sampler's kernels. Tensors are (tokens, images, features) in float32; what differs from request to
// request, as a seed or a scale, is read from device memory, so that recorded work serves every request.
#pragma once

#include <cstdint>

#include "weft/block.cuh"
#include "weft/core/image.hpp"
#include "weft/core/noise.hpp"
#include "weft/core/quantile.hpp"
#include "weft/core/step.hpp"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::kernels {

/// Normal numbers for tokens from `first_token` on of images from `first_image` on.
struct Noise {
  const std::uint64_t* seed;
  Step step;
  ImageShape shape;
  Index first_image, first_token;
  RowsOf<float, 3> out;

  __device__ void operator()(Index row, int f) const {
    const Index token = first_token + row / out.extent[1], image = first_image + row % out.extent[1];
    out.row(row)[f] = normal(*seed, static_cast<std::uint32_t>(step.index()),
                             static_cast<std::uint64_t>(shape.element(image, token, f)));
  }
};

/// positive = negative + scale · (positive − negative).
struct Guide {
  RowsOf<const float, 3> negative;
  const float* scale;
  RowsOf<float, 3> positive;

  __device__ void operator()(Index row, int f) const {
    const float less = negative.row(row)[f];
    float& more = positive.row(row)[f];
    more = less + *scale * (more - less);
  }
};

/// Writes an image's sum and sum of squares, in a fixed order, to out (images, 2): one block an image.
template <int Threads>
__global__ __launch_bounds__(Threads) void image_moments(RowsOf<const float, 3> x, double* out,
                                                         Index stride) {
  __shared__ double of_sums[Threads / warp_size], of_squares[Threads / warp_size];
  const Index numbers = static_cast<Index>(x.extent[0]) * x.width;
  double sum = 0, squares = 0;
  for (Index i = threadIdx.x; i < numbers; i += Threads) {
    const double value = x.row(i / x.width * x.extent[1] + blockIdx.x)[i % x.width];
    sum += value;
    squares += value * value;
  }
  sum = sum_over_block<Threads>(sum, of_sums);
  squares = sum_over_block<Threads>(squares, of_squares);
  if (threadIdx.x == 0) {
    out[blockIdx.x * stride] = sum;
    out[blockIdx.x * stride + 1] = squares;
  }
}

/// The moments (patches, images, 2) of an image's patches, which have `count` numbers together.
struct PatchMoments {
  const double* data;
  Index patches, patch_stride, image_stride;

  __device__ double deviation(Index image, double count) const {
    double sum = 0, squares = 0;
    for (Index m = 0; m < patches; ++m) {
      const double* const own = data + m * patch_stride + image * image_stride;
      sum += own[0];
      squares += own[1];
    }
    const double mean = sum / count;
    return sqrt(squares / count - mean * mean);
  }
};

struct Rescale {
  PatchMoments own, reference;
  double count;
  const float* rescale;
  RowsOf<float, 3> x;

  __device__ void operator()(Index row, int f) const {
    const Index image = row % x.extent[1];
    const double ratio = reference.deviation(image, count) / own.deviation(image, count);
    x.row(row)[f] *= static_cast<float>(*rescale * ratio + 1 - *rescale);
  }
};

/// The magnitudes of a step's estimates.
template <class Constants>
struct Magnitudes {
  RowsOf<const float, 2> constants;
  Step number;
  RowsOf<const float, 3> output, x;
  RowsOf<float, 3> out;

  __device__ void operator()(Index row, int f) const {
    const Constants step = Constants::of(constants.row(number.index()));
    out.row(row)[f] = fabsf(step.estimate(x.row(row)[f], output.row(row)[f]));
  }
};

/// Counts, in a round of each image's search, how many magnitudes have which digit: counts (images, bins),
/// one block an image.
static __global__ void count_digits(RowsOf<const float, 3> magnitudes, const QuantileSearch* searches,
                                    int round, double* counts, Index stride) {
  constexpr int bins = QuantileSearch::statistics * QuantileSearch::digits;
  __shared__ unsigned own[bins];
  for (int bin = static_cast<int>(threadIdx.x); bin < bins; bin += static_cast<int>(blockDim.x)) own[bin] = 0;
  __syncthreads();
  const QuantileSearch search = searches[blockIdx.x];
  const Index numbers = static_cast<Index>(magnitudes.extent[0]) * magnitudes.width;
  for (Index i = threadIdx.x; i < numbers; i += blockDim.x) {
    const float magnitude =
        magnitudes.row(i / magnitudes.width * magnitudes.extent[1] + blockIdx.x)[i % magnitudes.width];
    for (int s = 0; s < QuantileSearch::statistics; ++s) {
      const int bin = search.place_of(QuantileSearch::bits_of(magnitude), round, s);
      if (bin >= 0) atomicAdd(&own[bin], 1u);
    }
  }
  __syncthreads();
  for (int bin = static_cast<int>(threadIdx.x); bin < bins; bin += static_cast<int>(blockDim.x))
    counts[blockIdx.x * stride + bin] = own[bin];
}

/// Starts the images' searches, one thread an image.
template <class Constants>
static __global__ void start_searches(RowsOf<const float, 2> constants, Step number, Index count,
                                      QuantileSearch* searches, Index images) {
  const Index image = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (image < images)
    searches[image] = QuantileSearch::start(Constants::of(constants.row(number.index())).quantile, count);
}

/// Ends a round of the images' searches, one thread an image.
static __global__ void narrow_searches(const double* counts, Index stride, QuantileSearch* searches,
                                       Index images) {
  const Index image = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (image < images) searches[image].narrow(counts + image * stride);
}

/// One step of the state x and of the estimate. `Constants::of` reads a row of `constants`; `noise` may be
/// null, else it is (1 or steps, tokens, images, features); `searches` are the images', or null.
template <class Constants>
struct Denoise {
  RowsOf<const float, 2> constants;
  Step number;
  RowsOf<const float, 3> output;
  RowsOf<const float, 4> noise;
  const QuantileSearch* searches;
  RowsOf<float, 3> x, estimate;

  __device__ void operator()(Index row, int f) const {
    const Constants step = Constants::of(constants.row(number.index()));
    float& state = x.row(row)[f];
    float& guess = estimate.row(row)[f];
    const float last = guess, said = output.row(row)[f];
    const float bound = step.bound_of(searches ? searches + row % x.extent[1] : nullptr);
    guess = step.bounded(step.estimate(state, said), bound);
    state = step.next(state, guess, last, said);
    if (!noise.data) return;
    const Index before = noise.extent[0] > 1 ? number.index() * x.extent[0] * x.extent[1] : 0;
    state += step.noise * noise.row(before + row)[f];
  }
};

}  // namespace weft::inline v0_1::kernels
