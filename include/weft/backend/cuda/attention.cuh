// Attention on a CUDA device: tensor cores for the usual heads in half precision, else without.
#pragma once

#include "weft/attention.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/elementwise.cuh"
#include "weft/plain_attention.cuh"

namespace weft::cuda {

/// out = softmax(q · kᵀ / √head_dim) · v for every picture and head, without a mask.
/// q, out (n, pictures, heads, head_dim); k, v (keys, pictures, heads, head_dim); lse (n, pictures, heads),
/// the logarithm of the sum of exponentials, or empty. Without keys out is 0 and lse −∞.
template <class E>
void attention(Queue& queue, In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
               const View<float, 3>& lse = {}) {
  if constexpr (!std::is_same_v<E, float>) {
    const auto run = [&]<int head_dim>() {
      kernels::attention<head_dim, E>(queue.stream(), q, k, v, out, lse);
    };
    switch (q.extent[3]) {
      case 24:
        return run.template operator()<24>();
      case 32:
        return run.template operator()<32>();
      case 48:
        return run.template operator()<48>();
      case 64:
        return run.template operator()<64>();
      case 88:
        return run.template operator()<88>();
      case 96:
        return run.template operator()<96>();
      case 128:
        return run.template operator()<128>();
    }
  }
  kernels::plain_attention<E>(queue.stream(), q, k, v, out, lse.data);
}

/// Takes the attention over further keys into the one so far: (part, part_lse) into (out, lse).
/// Shapes as in `attention`.
template <class E>
void merge(Queue& queue, In<E, 4> part, In<float, 3> part_lse, const View<E, 4>& out,
           const View<float, 3>& lse) {
  const kernels::RowsOf<E, 4> rows = out;
  kernels::for_each_number(queue.stream(), rows.count(), rows.width,
                           kernels::Merge<E>{part, part_lse.data, out, lse.data});
  kernels::for_each_number(queue.stream(), rows.count(), 1, kernels::MergeLse{part_lse.data, lse.data});
}

}  // namespace weft::cuda
