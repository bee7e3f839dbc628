// LayerNorm over heads and rotary positions, written to where attention reads them: 16 lanes a head.
#pragma once

#include "weft/check.cuh"
#include "weft/rows.cuh"

namespace weft::kernels {

/// What happens to the heads (tokens, pictures, heads, head_dim) of one tensor on the way.
template <class E>
struct HeadMove {
  RowsOf<const E, 4> from;
  RowsOf<E, 4> to;
  bool norms = false, rotates = false;
  const float* scale = nullptr;  // (head_dim), or null
  const float* shift = nullptr;
  float epsilon = 1e-6f;
};

/// Rotations by token: cos and sin (tokens, head_dim).
struct Angles {
  const float* cos = nullptr;
  const float* sin = nullptr;
  Index stride = 0;
};

/// Up to three tensors in one launch, one a blockIdx.y.
template <class E>
struct HeadMoves {
  HeadMove<E> move[3];
  Angles angles;
};

template <class E>
__global__ void move_heads(const __grid_constant__ HeadMoves<E> moves, Index rows) {
  constexpr int lanes = 16, N = 8;
  const HeadMove<E>& move = moves.move[blockIdx.y];
  const Index row = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / lanes;
  const int width = move.to.width, column = static_cast<int>(threadIdx.x) % lanes * N;
  const bool active = row < rows && column < width;  // the others take part in sums alone

  float x[N] = {};
  if (active) load(move.from.row(row) + column, x);
  if (move.norms) {
    float sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) sum += x[i];
    const float mean = sum_over_lanes<lanes>(sum) / static_cast<float>(width);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      x[i] = active ? x[i] - mean : 0;
      squares += x[i] * x[i];
    }
    const float inverse = rsqrtf(sum_over_lanes<lanes>(squares) / static_cast<float>(width) + move.epsilon);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      x[i] *= inverse;
      if (active && move.scale) x[i] *= move.scale[column + i];
      if (active && move.shift) x[i] += move.shift[column + i];
    }
  }
  if (!active) return;
  if (move.rotates) {
    const Index token = row / (move.to.extent[1] * move.to.extent[2]);
    float cos[N], sin[N];
    load(moves.angles.cos + token * moves.angles.stride + column, cos);
    load(moves.angles.sin + token * moves.angles.stride + column, sin);
#pragma unroll
    for (int i = 0; i < N; i += 2) {
      const float even = x[i], odd = x[i + 1];
      x[i] = even * cos[i] - odd * sin[i];
      x[i + 1] = odd * cos[i + 1] + even * sin[i + 1];
    }
  }
  store(x, move.to.row(row) + column);
}

/// The first `count` of the moves, which have the same extents. Heads are up to 128 long and a multiple of 8.
template <class E>
void launch_head_moves(cudaStream_t stream, const HeadMoves<E>& moves, int count) {
  const Index rows = moves.move[0].to.count();
  if (rows == 0) return;
  for (int i = 0; i < count; ++i)
    if (moves.move[i].to.width > 128 || !moves.move[i].from.moves_by(8) || !moves.move[i].to.moves_by(8))
      refuse("Heads of ", moves.move[i].to.width,
             " features cannot be moved: up to 128 can, in multiples of 8 that "
             "begin at multiples of 16 bytes.");
  constexpr int threads = 256;
  const dim3 grid(blocks_for(rows * 16, threads), static_cast<unsigned>(count));
  move_heads<<<grid, threads, 0, stream>>>(moves, rows);
  check(cudaGetLastError(), "Launching heads");
}

}  // namespace weft::kernels
