// Where attention leaves its output and log-sum-exp.
#pragma once

#include <cmath>

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

/// Attention over no keys at all.
template <class E>
__global__ void attend_nothing(AttentionResult<E> result, int head_dim) {
  E* row = result.row(blockIdx.x, blockIdx.y, blockIdx.z);
  for (int d = threadIdx.x; d < head_dim; d += blockDim.x) row[d] = E(0.f);
  if (threadIdx.x == 0) result.put_lse(blockIdx.x, blockIdx.y, blockIdx.z, -INFINITY);
}

}  // namespace weft::kernels
