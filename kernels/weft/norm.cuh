// LayerNorm over features: a warp a row, the row in registers between its statistics and its output.
#pragma once

#include <algorithm>

#include "weft/core/step.hpp"
#include "weft/device.cuh"
#include "weft/rows.cuh"

namespace weft::kernels {

/// y = (x − mean) / deviation · scale + shift, then · (1 + more_scale) + more_shift of the step and the row's
/// picture. Null pointers leave their part out.
struct NormConstants {
  const float* scale = nullptr;  // (features)
  const float* shift = nullptr;
  const float* more_scale = nullptr;  // (steps, pictures, features)
  const float* more_shift = nullptr;
  Index step_stride = 0, picture_stride = 0;
  Step step{};
  float epsilon = 1e-6f;

  /// y = (x − mean) / deviation · factor + addend for the `N` features from `column` on.
  template <int N>
  __device__ void gather(int picture, int column, float (&factor)[N], float (&addend)[N]) const {
    const Index more = step.index() * step_stride + picture * picture_stride + column;
#pragma unroll
    for (int i = 0; i < N; ++i) factor[i] = 1, addend[i] = 0;
    if (scale) load(scale + column, factor);
    if (shift) load(shift + column, addend);
    float numbers[N];
    if (more_scale) {
      load(more_scale + more, numbers);
#pragma unroll
      for (int i = 0; i < N; ++i) factor[i] *= 1 + numbers[i], addend[i] *= 1 + numbers[i];
    }
    if (more_shift) {
      load(more_shift + more, numbers);
#pragma unroll
      for (int i = 0; i < N; ++i) addend[i] += numbers[i];
    }
  }
};

/// A row is that of `x`, or of `x` and of `second` side by side, all (tokens, pictures, features). The blocks
/// along y are one picture each, whose factors and addends they keep in shared memory; a warp takes a row at
/// a time, of which every lane holds `Chunks` times `N` numbers, while the next is on its way.
template <int N, int Chunks, class E, class Out>
__global__ __launch_bounds__(128) void norm_rows(RowsOf<const E, 3> x, RowsOf<const E, 3> second,
                                                 NormConstants constants, RowsOf<Out, 3> out) {
  extern __shared__ float4 shared[];
  const int width = out.width, picture = static_cast<int>(blockIdx.y), lane = static_cast<int>(threadIdx.x);
  float* const factors = reinterpret_cast<float*>(shared);
  float* const addends = factors + (width + 3) / 4 * 4;
  for (int column = (static_cast<int>(threadIdx.y) * 32 + lane) * N; column < width; column += 128 * N) {
    float factor[N], addend[N];
    constants.gather(picture, column, factor, addend);
    store(factor, factors + column);
    store(addend, addends + column);
  }
  __syncthreads();

  const E* const first_rows = x.data + picture * x.stride[1];
  const E* const second_rows = second.data + picture * second.stride[1];
  const auto fetch = [&](int token, Packed<N, E>(&packed)[Chunks]) {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      const int column = (c * 32 + lane) * N;
      if (column < x.width) {
        packed[c].load(first_rows + token * x.stride[0] + column);
      } else if (column < width) {
        packed[c].load(second_rows + token * second.stride[0] + column - x.width);
      }
    }
  };

  const int step = static_cast<int>(gridDim.x * blockDim.y), tokens = out.extent[0];
  const float one_of = 1 / static_cast<float>(width);
  Packed<N, E> next[Chunks];
  int token = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
  if (token < tokens) fetch(token, next);
  for (; token < tokens; token += step) {
    float values[Chunks][N];
#pragma unroll
    for (int c = 0; c < Chunks; ++c) next[c].widen(values[c]);
    if (token + step < tokens) fetch(token + step, next);

    float sum = 0, squares = 0;
#pragma unroll
    for (int c = 0; c < Chunks; ++c)
#pragma unroll
      for (int i = 0; i < N; ++i) sum += values[c][i];
    const float mean = sum_over_lanes<32>(sum) * one_of;
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      if ((c * 32 + lane) * N >= width) continue;
#pragma unroll
      for (int i = 0; i < N; ++i) values[c][i] -= mean, squares += values[c][i] * values[c][i];
    }
    const float inverse = rsqrtf(sum_over_lanes<32>(squares) * one_of + constants.epsilon);

    Out* const to = out.data + token * out.stride[0] + picture * out.stride[1];
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      const int column = (c * 32 + lane) * N;
      if (column >= width) continue;
      float factor[N], addend[N];
      load(factors + column, factor);
      load(addends + column, addend);
#pragma unroll
      for (int i = 0; i < N; ++i) values[c][i] = values[c][i] * inverse * factor[i] + addend[i];
      store(values[c], to + column);
    }
  }
}

template <class E, class Out = E>
void norm(cudaStream_t stream, RowsOf<const E, 3> x, RowsOf<const E, 3> second,
          const NormConstants& constants, std::type_identity_t<RowsOf<Out, 3>> out) {
  if (out.count() == 0) return;
  const auto launch = [&]<int N, int Chunks>() {
    constexpr int warps = 4, blocks_at_once = 4;  // a multiprocessor
    const unsigned blocks = blocks_for(out.extent[0], warps);
    const unsigned at_once = std::max(1, blocks_at_once * multiprocessors() / out.extent[1]);
    const dim3 grid(std::min(blocks, at_once), static_cast<unsigned>(out.extent[1]));
    const std::size_t constants_bytes = 2 * sizeof(float) * ((out.width + 3) / 4 * 4);
    norm_rows<N, Chunks><<<grid, dim3(32, warps), constants_bytes, stream>>>(x, second, constants, out);
    check(cudaGetLastError(), "Launching a norm");
  };
  const bool wide = x.moves_by(8) && out.moves_by(8) && (!second.data || second.moves_by(8));
  const int chunks = (out.width + (wide ? 255 : 31)) / (wide ? 256 : 32);
  if (wide && chunks <= 1) return launch.template operator()<8, 1>();
  if (wide && chunks <= 3) return launch.template operator()<8, 3>();
  if (wide && chunks <= 6) return launch.template operator()<8, 6>();
  if (wide && chunks <= 12) return launch.template operator()<8, 12>();
  if (!wide && chunks <= 32) return launch.template operator()<1, 32>();
  refuse("A norm of ", out.width,
         " features does not fit a warp's registers: at most 3072 fit, or 1024 where they are "
         "no multiple of 8.");
}

}  // namespace weft::kernels
