// The operands of attention, as device code reads them.
#pragma once

#include <cmath>

#include "weft/attention/result.cuh"
#include "weft/core/key_mask.hpp"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// q (n, B, H, D) and k, v (S, B, K, D), where each head of k and v serves `group` of q, so that H = K ·
/// group.
template <class E, class Out = E>
struct AttentionOperands {
  RowsOf<const E, 4> q, k, v;
  AttentionResult<E, Out> result;
  int group;
  float scale;  // of logits, to exponents of two
  KeyMask mask;

  AttentionOperands(View<const E, 4> queries, View<const E, 4> keys, View<const E, 4> values,
                    const AttentionResult<E, Out>& out, const KeyMask& key_mask, Index features)
      : q(queries),
        k(keys),
        v(values),
        result(out),
        group(q.extent[2] / k.extent[2]),
        scale(log2_e / std::sqrt(static_cast<float>(features))),
        mask(key_mask) {}
};

}  // namespace weft::inline v0_1::kernels
