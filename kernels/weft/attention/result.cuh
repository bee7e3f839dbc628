// Where attention leaves its output and log-sum-exp.
#pragma once

#include <cmath>

#include "weft/attention/softmax.cuh"
#include "weft/core/view.hpp"

namespace weft::kernels {

/// Views as device code can read them: out (n, B, H, D) and, unless null, lse (n, B, H).
template <class E>
struct AttentionResult {
  E* out;
  float* lse;
  Index out_stride[3], lse_stride[3];

  AttentionResult(View<E, 4> o, View<float, 3> l) : out(o.data), lse(l.data) {
    for (int d = 0; d < 3; ++d) out_stride[d] = o.stride[d], lse_stride[d] = l.stride[d];
  }

  __device__ E* row(int token, int batch, int head) const {
    return out + token * out_stride[0] + batch * out_stride[1] + head * out_stride[2];
  }
  __device__ void put_lse(int token, int batch, int head, float value) const {
    if (lse) lse[token * lse_stride[0] + batch * lse_stride[1] + head * lse_stride[2]] = value;
  }
};

/// A warp's 16 rows from `token` on, as far as there are `tokens`: `output` in the registers of matrix
/// products, divided by the sums of `softmax`.
template <class E, int Count>
__device__ void store_rows(const AttentionResult<E>& result, RunningSoftmax& softmax,
                           const float (&output)[Count], int token, int tokens, int batch, int head) {
  const int lane = threadIdx.x % 32;
  softmax.finish();
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int own = token + lane / 4 + 8 * r;
    if (own >= tokens) continue;
    const float share = __frcp_rn(softmax.sum[r]);
    auto* to = reinterpret_cast<std::uint32_t*>(result.row(own, batch, head)) + lane % 4;
#pragma unroll
    for (int i = 0; i < Count / 4; ++i) {
      to[4 * i] = pack<E>(output[4 * i + 2 * r] * share, output[4 * i + 2 * r + 1] * share);
    }
    if (lane % 4 == 0) result.put_lse(own, batch, head, softmax.log_sum(r));
  }
}

/// Attention over no keys at all.
template <class E>
__global__ void attend_nothing(AttentionResult<E> result, int head_dim) {
  E* row = result.row(blockIdx.x, blockIdx.y, blockIdx.z);
  for (int d = threadIdx.x; d < head_dim; d += blockDim.x) row[d] = E(0.f);
  if (threadIdx.x == 0) result.put_lse(blockIdx.x, blockIdx.y, blockIdx.z, -INFINITY);
}

}  // namespace weft::kernels
