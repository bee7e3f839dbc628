// Reductions over the threads of a block. cub::BlockReduce gives the same bits, and its headers would take a
// third of the time that every unit spends on headers.
#pragma once

#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels {

/// Combines x over a one-dimensional block by op(a, b), in a fixed order: the lanes of every warp, then the
/// warps. Thread 0 receives the result. All threads must call it, which is a barrier for them; `memory` is
/// shared, and of this call alone.
template <int Threads, class T, class Op>
__device__ T reduce_over_block(T x, T (&memory)[Threads / warp_size], Op op) {
#pragma unroll
  for (int offset = 1; offset < warp_size; offset *= 2) x = op(x, __shfl_down_sync(all_lanes, x, offset));
  if (threadIdx.x % warp_size == 0) memory[threadIdx.x / warp_size] = x;
  __syncthreads();
  if (threadIdx.x == 0)
    for (int warp = 1; warp < Threads / warp_size; ++warp) x = op(x, memory[warp]);
  return x;
}

/// Computes the sum in the same way.
template <int Threads, class T>
__device__ T sum_over_block(T x, T (&memory)[Threads / warp_size]) {
  return reduce_over_block<Threads>(x, memory, [](T a, T b) { return a + b; });
}

}  // namespace weft::inline v0_1::kernels
