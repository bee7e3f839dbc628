// LayerNorm over features: one warp a row, which stays in registers between its statistics and its output.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cub/block/block_reduce.cuh>

#include "weft/core/step.hpp"
#include "weft/device.cuh"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// The affine part of a norm: y = (x − mean) / deviation · scale + shift, modulated as y · (1 + more_scale) +
/// more_shift of the step and the row's image. A null pointer leaves its term out.
struct NormConstants {
  /// (steps, images, features)
  struct Table {
    const float* data = nullptr;
    Index step_stride = 0, image_stride = 0;

    __device__ const float* row(Index step, int image) const {
      return data + step * step_stride + image * image_stride;
    }
  };

  const float* scale = nullptr;  // (features)
  const float* shift = nullptr;
  Table more_scale{}, more_shift{};
  Step step{};
  float epsilon = 1e-6f;
  bool centers = true;  // takes the mean away; RMSNorm leaves it

  /// Returns whether all can be read `numbers` at a time, which are 4 or a multiple.
  bool moves_by(int numbers) const {
    bool fits = true;
    for (const float* row : {scale, shift, more_scale.data, more_shift.data})
      fits &= reinterpret_cast<std::uintptr_t>(row) % vector_bytes == 0;
    for (const Table* table : {&more_scale, &more_shift})
      fits &= table->step_stride % numbers == 0 && table->image_stride % numbers == 0;
    return fits;
  }

  /// Folds all terms into y = (x − mean) / deviation · factor + addend, for `N` features from `column` on.
  template <int N>
  __device__ void gather(int image, int column, float (&factor)[N], float (&addend)[N]) const {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      factor[i] = 1;
      addend[i] = 0;
    }
    if (scale) load(scale + column, factor);
    if (shift) load(shift + column, addend);
    float numbers[N];
    if (more_scale.data) {
      load(more_scale.row(step.index(), image) + column, numbers);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        factor[i] *= 1 + numbers[i];
        addend[i] *= 1 + numbers[i];
      }
    }
    if (more_shift.data) {
      load(more_shift.row(step.index(), image) + column, numbers);
#pragma unroll
      for (int i = 0; i < N; ++i) addend[i] += numbers[i];
    }
  }
};

inline constexpr int norm_warps = 4, norm_threads = norm_warps * warp_size;  // of a block of norm_rows

/// Returns how many blocks of norm_rows the registers of a multiprocessor are shared among.
constexpr int norm_blocks_at_once(int chunks) { return chunks > 6 ? 3 : 4; }

/// Norms rows of `x`, or of `x` and `second` concatenated, all (tokens, images, features). blockIdx.y is an
/// image, whose factors and addends a block keeps in shared memory. A warp takes one row at a time, `Chunks`
/// times `N` numbers a lane, which stay as narrow as they are read, and prefetches the next.
template <int N, int Chunks, class E, class Out>
__global__ __launch_bounds__(norm_threads, norm_blocks_at_once(Chunks)) void norm_rows(
    RowsOf<const E, 3> x, RowsOf<const E, 3> second, NormConstants constants, RowsOf<Out, 3> out) {
  extern __shared__ float4 shared[];
  const int width = out.width, image = static_cast<int>(blockIdx.y), lane = static_cast<int>(threadIdx.x);
  const E* const first_rows = x.data + image * x.stride[1];
  const E* const second_rows = second.data + image * second.stride[1];
  const auto fetch = [&](int token, Packed<N, E>(&packed)[Chunks]) {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      const int column = (c * warp_size + lane) * N;
      if (column < x.width) {
        packed[c].load(first_rows + token * x.stride[0] + column);
      } else if (column < width) {
        packed[c].load(second_rows + token * second.stride[0] + column - x.width);
      }
    }
  };

  const int step = static_cast<int>(gridDim.x * blockDim.y), tokens = out.extent[0];
  Packed<N, E> row[Chunks], next[Chunks];
  int token = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
  if (token < tokens) fetch(token, next);  // on its way while the constants are

  float* const factors = reinterpret_cast<float*>(shared);
  float* const addends = factors + (width + 3) / 4 * 4;
  for (int column = (static_cast<int>(threadIdx.y) * warp_size + lane) * N; column < width;
       column += norm_threads * N) {
    float factor[N], addend[N];
    constants.gather(image, column, factor, addend);
    store(factor, factors + column);
    store(addend, addends + column);
  }
  __syncthreads();

  const float one_of = 1 / static_cast<float>(width);
  for (; token < tokens; token += step) {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) row[c] = next[c];
    if (token + step < tokens) fetch(token + step, next);

    float sum = 0, squares = 0;
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      float values[N];
      row[c].widen(values);
#pragma unroll
      for (int i = 0; i < N; ++i) sum += values[i];
    }
    const float mean = constants.centers ? sum_over_lanes<warp_size>(sum) * one_of : 0;
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      if ((c * warp_size + lane) * N >= width) continue;
      float values[N];
      row[c].widen(values);
#pragma unroll
      for (int i = 0; i < N; ++i) squares += (values[i] - mean) * (values[i] - mean);
    }
    const float inverse = rsqrtf(sum_over_lanes<warp_size>(squares) * one_of + constants.epsilon);

    Out* const to = out.data + token * out.stride[0] + image * out.stride[1];
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      const int column = (c * warp_size + lane) * N;
      if (column >= width) continue;
      float values[N], factor[N], addend[N];
      row[c].widen(values);
      load(factors + column, factor);
      load(addends + column, addend);
#pragma unroll
      for (int i = 0; i < N; ++i) values[i] = (values[i] - mean) * inverse * factor[i] + addend[i];
      store(values, to + column);
    }
  }
}

/// Norms rows of any width: one block a row, which it reads three times.
template <int Threads, class E, class Out>
__global__ __launch_bounds__(Threads) void norm_long_rows(RowsOf<const E, 3> x, RowsOf<const E, 3> second,
                                                          NormConstants constants, RowsOf<Out, 3> out) {
  using Sum = cub::BlockReduce<float, Threads>;
  __shared__ typename Sum::TempStorage of_numbers, of_squares;
  __shared__ float shared;
  const int width = out.width, token = static_cast<int>(blockIdx.x), image = static_cast<int>(blockIdx.y),
            thread = static_cast<int>(threadIdx.x);
  const E* const first_row = x.data + token * x.stride[0] + image * x.stride[1];
  const E* const second_row = second.data + token * second.stride[0] + image * second.stride[1];
  const auto number = [&](int column) {
    return static_cast<float>(column < x.width ? first_row[column] : second_row[column - x.width]);
  };
  const auto in_all_threads = [&](float sum) {
    if (thread == 0) shared = sum / static_cast<float>(width);
    __syncthreads();
    return shared;
  };

  float sum = 0, squares = 0;
  for (int column = thread; column < width; column += Threads) sum += number(column);
  const float found = in_all_threads(Sum(of_numbers).Sum(sum)), mean = constants.centers ? found : 0;
  for (int column = thread; column < width; column += Threads) {
    const float off = number(column) - mean;
    squares += off * off;
  }
  squares = Sum(of_squares).Sum(squares);  // has a barrier, so all have read the mean
  const float inverse = rsqrtf(in_all_threads(squares) + constants.epsilon);

  Out* const to = out.data + token * out.stride[0] + image * out.stride[1];
  for (int column = thread; column < width; column += Threads) {
    float factor[1], addend[1];
    constants.gather(image, column, factor, addend);
    const float y[1] = {(number(column) - mean) * inverse * factor[0] + addend[0]};
    store(y, to + column);
  }
}

/// Norms rows of any width, at the rate of memory if the width is a multiple of 8 up to 3072, and rows and
/// `constants` begin at multiples of 16 bytes.
template <class E, class Out = E>
void norm(cudaStream_t stream, RowsOf<const E, 3> x, RowsOf<const E, 3> second,
          const NormConstants& constants, std::type_identity_t<RowsOf<Out, 3>> out) {
  if (out.count() == 0) return;
  const auto launch = [&]<int N, int Chunks>() {
    const unsigned blocks = blocks_for(out.extent[0], norm_warps);
    const unsigned at_once = std::max(1, norm_blocks_at_once(Chunks) * multiprocessors() / out.extent[1]);
    const dim3 grid(std::min(blocks, at_once), static_cast<unsigned>(out.extent[1]));
    const std::size_t constants_bytes = 2 * sizeof(float) * ((out.width + 3) / 4 * 4);
    norm_rows<N, Chunks>
        <<<grid, dim3(warp_size, norm_warps), constants_bytes, stream>>>(x, second, constants, out);
    check(cudaGetLastError(), "launching a norm");
  };
  const bool wide =
      x.moves_by(8) && out.moves_by(8) && (!second.data || second.moves_by(8)) && constants.moves_by(8);
  const int pass = warp_size * (wide ? 8 : 1);  // numbers that a warp takes at once
  const int chunks = (out.width + pass - 1) / pass;
  if (wide && chunks <= 1) return launch.template operator()<8, 1>();
  if (wide && chunks <= 3) return launch.template operator()<8, 3>();
  if (wide && chunks <= 6) return launch.template operator()<8, 6>();
  if (wide && chunks <= 10) return launch.template operator()<8, 10>();
  if (wide && chunks <= 12) return launch.template operator()<8, 12>();
  if (!wide && chunks <= 32) return launch.template operator()<1, 32>();
  constexpr int threads = 512;
  const dim3 rows(static_cast<unsigned>(out.extent[0]), static_cast<unsigned>(out.extent[1]));
  norm_long_rows<threads><<<rows, threads, 0, stream>>>(x, second, constants, out);
  check(cudaGetLastError(), "launching a norm");
}

}  // namespace weft::inline v0_1::kernels
