// What attention reads and writes, as device code takes it.
#pragma once

#include <cmath>

#include "weft/attention/result.cuh"
#include "weft/rows.cuh"

namespace weft::kernels {

/// q (n, B, H, D) and k, v (S, B, H, D).
template <class E>
struct AttentionOperands {
  RowsOf<const E, 4> q, k, v;
  AttentionResult<E> result;
  float scale;  // logits to powers of two

  AttentionOperands(View<const E, 4> queries, View<const E, 4> keys, View<const E, 4> values, View<E, 4> out,
                    View<float, 3> lse, Output output)
      : q(queries),
        k(keys),
        v(values),
        result(out, lse, output),
        scale(1.44269504089f / std::sqrt(static_cast<float>(q.width))) {}
};

/// The rows of one head, a token each.
template <class E>
__device__ const E* head_rows(const RowsOf<const E, 4>& x, int token, int batch, int head) {
  return x.data + token * x.stride[0] + batch * x.stride[1] + head * x.stride[2];
}

}  // namespace weft::kernels
