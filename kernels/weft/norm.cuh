// LayerNorm over features: a warp a row, the row in registers between its statistics and its output.
#pragma once

#include "weft/check.cuh"
#include "weft/core/step.hpp"
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
};

/// A row is that of `x`, or of `x` and of `second` side by side; `Chunks` moves of `N` numbers a lane hold
/// it.
template <int N, int Chunks, class E>
__global__ void norm_rows(RowsOf<const E, 3> x, RowsOf<const E, 3> second, NormConstants constants,
                          RowsOf<E, 3> out, Index rows) {
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const E* const first_row = x.row(row);
  const E* const second_row = second.data ? second.row(row) : nullptr;
  const int width = out.width;

  float values[Chunks][N];
  float sum = 0;
#pragma unroll
  for (int c = 0; c < Chunks; ++c) {
    const int column = (c * 32 + static_cast<int>(threadIdx.x)) * N;
    if (column >= width) continue;
    load(column < x.width ? first_row + column : second_row + column - x.width, values[c]);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += values[c][i];
  }
  const float mean = sum_over_lanes<32>(sum) / static_cast<float>(width);

  float squares = 0;
#pragma unroll
  for (int c = 0; c < Chunks; ++c) {
    if ((c * 32 + static_cast<int>(threadIdx.x)) * N >= width) continue;
#pragma unroll
    for (int i = 0; i < N; ++i) values[c][i] -= mean, squares += values[c][i] * values[c][i];
  }
  const float inverse = rsqrtf(sum_over_lanes<32>(squares) / static_cast<float>(width) + constants.epsilon);

  const Index picture =
      constants.step.index() * constants.step_stride + row % out.extent[1] * constants.picture_stride;
  E* const to = out.row(row);
#pragma unroll
  for (int c = 0; c < Chunks; ++c) {
    const int column = (c * 32 + static_cast<int>(threadIdx.x)) * N;
    if (column >= width) continue;
    const auto with = [&](const float* numbers, auto combine) {
      if (!numbers) return;
      float factors[N];
      load(numbers + column, factors);
#pragma unroll
      for (int i = 0; i < N; ++i) values[c][i] = combine(values[c][i], factors[i]);
    };
#pragma unroll
    for (int i = 0; i < N; ++i) values[c][i] *= inverse;
    with(constants.scale, [](float y, float s) { return y * s; });
    with(constants.shift, [](float y, float s) { return y + s; });
    with(constants.more_scale ? constants.more_scale + picture : nullptr,
         [](float y, float s) { return y * (1 + s); });
    with(constants.more_shift ? constants.more_shift + picture : nullptr,
         [](float y, float s) { return y + s; });
    store(values[c], to + column);
  }
}

template <class E>
void norm(cudaStream_t stream, RowsOf<const E, 3> x, RowsOf<const E, 3> second,
          const NormConstants& constants, RowsOf<E, 3> out) {
  const Index rows = out.count();
  if (rows == 0) return;
  constexpr int warps = 4;
  const auto launch = [&]<int N, int Chunks>() {
    norm_rows<N, Chunks>
        <<<blocks_for(rows, warps), dim3(32, warps), 0, stream>>>(x, second, constants, out, rows);
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
