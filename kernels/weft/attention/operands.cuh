// The operands of attention, as device code reads them.
#pragma once

#include <cmath>

#include "weft/attention/result.cuh"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// q (n, B, H, D) and k, v (S, B, H, D).
template <class E>
struct AttentionOperands {
  RowsOf<const E, 4> q, k, v;
  AttentionResult<E> result;
  float scale;  // of logits, to exponents of two

  AttentionOperands(View<const E, 4> queries, View<const E, 4> keys, View<const E, 4> values, View<E, 4> out,
                    View<float, 3> lse, Output output)
      : q(queries),
        k(keys),
        v(values),
        result(out, lse, output),
        scale(log2_e / std::sqrt(static_cast<float>(q.width))) {}
};

/// Returns the row of one head at `token`.
template <class E>
__device__ const E* head_rows(const RowsOf<const E, 4>& x, int token, int batch, int head) {
  return x.data + token * x.stride[0] + batch * x.stride[1] + head * x.stride[2];
}

}  // namespace weft::inline v0_1::kernels
