// Attention on a CUDA device: in half precision on tensor cores, for the head dimensions of the queue.
#pragma once

#include "weft/attention.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/elementwise.cuh"
#include "weft/plain_attention.cuh"

namespace weft::cuda {

/// out = softmax(q · kᵀ / √head_dim) · v for every picture and head, without a mask.
/// q, out (n, pictures, heads, head_dim); k, v (keys, pictures, heads, head_dim); lse (n, pictures, heads),
/// the logarithm of the sum of exponentials, or empty. Without keys out is 0 and lse −∞.
template <class E, int... HeadDims>
void attention(QueueFor<HeadDims...>& queue, In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
               const View<float, 3>& lse = {}) {
  const Index keys = k.extent[0];
  const auto span = queue.span(Work{"attention",
                                    {q.extent[0], keys, q.extent[1] * q.extent[2], q.extent[3]},
                                    4.0 * static_cast<double>(q.size()) * static_cast<double>(keys),
                                    (2 * q.size() + 2 * k.size()) * bytes_of<E>});
  const auto run_if = [&]<int head_dim>() {
    if constexpr (!std::is_same_v<E, float>) {
      if (q.extent[3] != head_dim) return false;
      kernels::attention<head_dim, E>(queue.stream(), q, k, v, out, lse);
      return true;
    }
    return false;
  };
  if ((run_if.template operator()<HeadDims>() || ...)) return;
  kernels::plain_attention<E>(queue.stream(), q, k, v, out, lse.data);
}

/// Takes the attention over further keys into the one so far: (part, part_lse) into (out, lse).
/// Shapes as in `attention`.
template <class E>
void merge(Queue& queue, In<E, 4> part, In<float, 3> part_lse, const View<E, 4>& out,
           const View<float, 3>& lse) {
  const auto span = queue.span(Work{"merge",
                                    {out.extent[0], out.extent[1] * out.extent[2], out.extent[3]},
                                    0,
                                    3 * out.size() * bytes_of<E>});
  const kernels::RowsOf<E, 4> rows = out;
  kernels::for_each_number(queue.stream(), rows.count(), rows.width,
                           kernels::Merge<E>{part, part_lse.data, out, lse.data});
  kernels::for_each_number(queue.stream(), rows.count(), 1, kernels::MergeLse{part_lse.data, lse.data});
}

}  // namespace weft::cuda
