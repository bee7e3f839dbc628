// The epilogue of attention: normalises and stores its output and log-sum-exp, or merges them with others.
#pragma once

#include <cmath>

#include "weft/attention/softmax.cuh"
#include "weft/core/merge.hpp"
#include "weft/core/view.hpp"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// The views that attention writes: out (n, B, H, D) and, unless null, lse (n, B, H).
template <class E>
struct AttentionResult {
  E* out;
  float* lse;
  Index out_stride[3], lse_stride[3];
  bool merges;  // with what the views hold

  AttentionResult(View<E, 4> o, View<float, 3> l, Output output)
      : out(o.data), lse(l.data), merges(output == Output::merge) {
    for (int d = 0; d < 3; ++d) {
      out_stride[d] = o.stride[d];
      lse_stride[d] = l.stride[d];
    }
  }

  __device__ E* row(int token, int batch, int head) const {
    return out + token * out_stride[0] + batch * out_stride[1] + head * out_stride[2];
  }
  __device__ float* lse_at(int token, int batch, int head) const {
    return lse + token * lse_stride[0] + batch * lse_stride[1] + head * lse_stride[2];
  }

  /// Returns the weights of a new row with log-sum-exp `own_lse`, and of the row that `out` holds.
  __device__ MergeWeights weights(int token, int batch, int head, float own_lse) const {
    return merges ? merge_weights(*lse_at(token, batch, head), own_lse) : MergeWeights{0, 1, own_lse};
  }
};

/// Stores a warp's 16 rows, those of tokens from `token` on that are below `tokens`: the accumulators
/// `output` divided by the sums of `softmax`.
template <class E, int Count>
__device__ void store_rows(const AttentionResult<E>& result, RunningSoftmax& softmax,
                           const float (&output)[Count], int token, int tokens, int batch, int head) {
  const int lane = threadIdx.x % warp_size;
  softmax.finish();
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int own = token + lane / 4 + 8 * r;
    const bool exists = own < tokens;
    MergeWeights weights{};
    if (exists) weights = result.weights(own, batch, head, softmax.log_sum(r));
    __syncwarp();  // all have read the log-sum-exp that is about to be replaced
    if (!exists) continue;
    const float share = weights.added * __frcp_rn(softmax.sum[r]);
    auto* to = reinterpret_cast<typename Pair<E>::Type*>(result.row(own, batch, head)) + lane % 4;
#pragma unroll
    for (int i = 0; i < Count / 4; ++i) {
      float low = output[4 * i + 2 * r] * share, high = output[4 * i + 2 * r + 1] * share;
      if (result.merges) {
        const float2 there = Pair<E>::widen(to[4 * i]);
        low = fmaf(weights.kept, there.x, low);
        high = fmaf(weights.kept, there.y, high);
      }
      to[4 * i] = Pair<E>::narrow(low, high);
    }
    if (result.lse && lane % 4 == 0) *result.lse_at(own, batch, head) = weights.lse;
  }
}

/// Stores the result of attention over no keys for `count` rows from `first` on, of those below `tokens`, by
/// `threads` threads, of which this is `thread`.
template <class E>
__device__ void store_nothing(const AttentionResult<E>& result, int first, int count, int tokens, int batch,
                              int head, int head_dim, int thread, int threads) {
  if (result.merges) return;
  const int exist = min(count, tokens - first);
  for (int i = thread; i < exist * head_dim; i += threads)
    result.row(first + i / head_dim, batch, head)[i % head_dim] = E(0.f);
  for (int i = thread; i < exist && result.lse; i += threads)
    *result.lse_at(first + i, batch, head) = -INFINITY;
}

/// Writes the result of attention over no keys: zeros, and a log-sum-exp of −∞.
template <class E>
__global__ void attend_nothing(AttentionResult<E> result, int head_dim) {
  E* row = result.row(blockIdx.x, blockIdx.y, blockIdx.z);
  for (int d = threadIdx.x; d < head_dim; d += blockDim.x) row[d] = E(0.f);
  if (result.lse && threadIdx.x == 0) *result.lse_at(blockIdx.x, blockIdx.y, blockIdx.z) = -INFINITY;
}

}  // namespace weft::inline v0_1::kernels
