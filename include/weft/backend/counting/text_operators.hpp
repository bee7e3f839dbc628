// The counting backend's operators on texts.
#pragma once

#include "weft/backend/counting/operators.hpp"
#include "weft/backend/text_operators.hpp"

namespace weft::inline v0_1::counting {

template <class E>
void add_linear(Queue& queue, const View<E, 2>& x, const LinearWeights<E>& weights,
                const View<float, 2>& out) {
  linear(queue, x, weights, out, {});
}

template <class E>
void text_attention(Queue& queue, const View<E, 3>& q, const View<E, 3>& k, const View<E, 3>& v,
                    const TextScores&, const View<E, 3>& out) {
  if (out.empty()) return;
  queue.append(
      {.kind = WorkKind::attention,
       .m = q.extent[0],
       .n = k.extent[0],
       .k = q.extent[1],
       .head_dim = q.extent[2],
       .bytes = detail::bytes_of(q) + detail::bytes_of(k) + detail::bytes_of(v) + detail::bytes_of(out)});
}

}  // namespace weft::inline v0_1::counting
