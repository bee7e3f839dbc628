// The kernels between the two products of attention, where logits are written to memory.
#pragma once

#include <cfloat>
#include <cub/block/block_reduce.cuh>

#include "weft/core/merge.hpp"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::kernels {

/// The sum of exponentials of some numbers, relative to the highest of them.
struct SumOfExponentials {
  float highest = -FLT_MAX, sum = 0;

  friend __device__ SumOfExponentials operator+(const SumOfExponentials& a, const SumOfExponentials& b) {
    const float highest = fmaxf(a.highest, b.highest);
    return {highest, a.sum * expf(a.highest - highest) + b.sum * expf(b.highest - highest)};
  }
};

/// Writes weights (rows, width) = softmax(logits · scale) and the logarithms of the sums of exponentials
/// (rows), a block a row.
template <int Threads, class E>
__global__ __launch_bounds__(Threads) void softmax_rows(RowsOf<const float, 2> logits, float scale,
                                                        RowsOf<E, 2> weights, float* lse) {
  using Reduce = cub::BlockReduce<SumOfExponentials, Threads>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ SumOfExponentials total;
  const float* const row = logits.row(blockIdx.x);
  SumOfExponentials own;
  for (int i = threadIdx.x; i < logits.width; i += Threads) {
    const float x = row[i] * scale;
    if (x > own.highest) {
      own.sum = own.sum * expf(own.highest - x) + 1;
      own.highest = x;
    } else {
      own.sum += expf(x - own.highest);
    }
  }
  const SumOfExponentials all =
      Reduce(storage).Reduce(own, [](const auto& a, const auto& b) { return a + b; });
  if (threadIdx.x == 0) {
    total = all;
    lse[blockIdx.x] = all.highest + logf(all.sum);
  }
  __syncthreads();
  const float highest = total.highest, factor = 1 / total.sum;
  E* const to = weights.row(blockIdx.x);
  for (int i = threadIdx.x; i < logits.width; i += Threads)
    to[i] = static_cast<E>(expf(row[i] * scale - highest) * factor);
}

/// to (columns, rows) = from (rows, columns) transposed.
template <class E>
struct Transpose {
  RowsOf<const E, 2> from;
  RowsOf<E, 2> to;

  __device__ void operator()(Index row, int column) const { to.row(column)[row] = from.row(row)[column]; }
};

/// out = the attention in place, with its log-sum-exp, merged with `own`.
template <class E>
struct MergeRows {
  RowsOf<const E, 2> own;
  const float* own_lse;  // (rows)
  const float* lse;
  Index lse_stride;
  RowsOf<E, 2> out;

  __device__ void operator()(Index row, int column) const {
    const MergeWeights weights = merge_weights(lse[row * lse_stride], own_lse[row]);
    E& number = out.row(row)[column];
    number = static_cast<E>(weights.kept * static_cast<float>(number) +
                            weights.added * static_cast<float>(own.row(row)[column]));
  }
};

/// The log-sum-exps over all keys: those of `own` keys, merged with those in place, or instead of them.
struct MergeLse {
  const float* own;  // (rows)
  float* lse;
  Index stride;
  bool merges;

  __device__ void operator()(Index row, int) const {
    float& number = lse[row * stride];
    number = merges ? merge_weights(number, own[row]).lse : own[row];
  }
};

}  // namespace weft::inline v0_1::kernels
