// The sum of rows that lie in the memory of several GPUs, stored in all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "weft/check.cuh"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// The copies of one launch, of the same extents, as many as fit a kernel's parameters.
template <class E>
struct Copies {
  static constexpr int most = 64;
  RowsOf<E, 2> copy[most];
  int count = 0;
};
static_assert(sizeof(Copies<float>) <= parameter_bytes);

/// Sums `N` numbers a thread in float32, in the copies' order.
template <int N, class E>
__global__ void sum_each(const __grid_constant__ Copies<E> copies, Index rows) {
  const Index packs = copies.copy[0].width / N;
  const Index at = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= rows * packs) return;
  const Index row = at / packs, column = at % packs * N;
  float sum[N] = {};
#pragma unroll 4
  for (int i = 0; i < copies.count; ++i) {
    float x[N];
    load(copies.copy[i].row(row) + column, x);
#pragma unroll
    for (int n = 0; n < N; ++n) sum[n] += x[n];
  }
  for (int i = 0; i < copies.count; ++i) store(sum, copies.copy[i].row(row) + column);
}

/// Stores the sum of all copies in each. Moves 16 bytes at a time where rows allow.
template <class E>
void sum_copies(cudaStream_t stream, const Copies<E>& copies) {
  const std::span<const RowsOf<E, 2>> all(copies.copy, static_cast<std::size_t>(copies.count));
  const Index rows = all.front().count(), width = all.front().width;
  if (rows * width == 0) return;
  constexpr int threads = 256;
  if (std::ranges::all_of(all, [](const RowsOf<E, 2>& some) { return some.moves_by(8); }))
    sum_each<8><<<blocks_for(rows * width / 8, threads), threads, 0, stream>>>(copies, rows);
  else
    sum_each<1><<<blocks_for(rows * width, threads), threads, 0, stream>>>(copies, rows);
  check(cudaGetLastError(), "launching a sum of copies");
}

}  // namespace weft::inline v0_1::kernels
