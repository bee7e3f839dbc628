// Attention on a CUDA device: on tensor cores in half precision, for the head dimensions of the queue.
#pragma once

#include "weft/attention.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/core/key_mask.hpp"
#include "weft/plain_attention.cuh"

namespace weft::inline v0_1::cuda {

/// Computes out = softmax(q · kᵀ / √head_dim) · v for every image and head.
/// q, out (n, images, heads, head_dim); k, v (keys, images, key heads, head_dim), whose heads divide those of
/// q, each for as many in a row; lse (n, images, heads), the logarithm of the sum of exponentials, or empty.
/// Keys that `mask` hides do not exist. Without keys out is 0 and lse −∞. With Output::merge, out and lse
/// hold attention over other keys, and then attention over both.
template <class E, int... HeadDims>
void attention(QueueFor<HeadDims...>& queue, In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
               const View<float, 3>& lse = {}, Output output = Output::replace, const KeyMask& mask = {}) {
  const Index keys = k.extent[0];
  const auto span = queue.span(Work{"attention",
                                    {q.extent[0], keys, q.extent[1] * q.extent[2], q.extent[3]},
                                    4.0 * static_cast<double>(q.size()) * static_cast<double>(keys),
                                    (2 * q.size() + 2 * k.size()) * bytes_of<E>});
  [[maybe_unused]] const auto run_if = [&]<int head_dim>() {
    if constexpr (!std::is_same_v<E, float>) {
      if (q.extent[3] != head_dim) return false;
      kernels::attention<head_dim, E>(queue.stream(), q, k, v, out, lse, output, mask);
      return true;
    }
    return false;
  };
  if ((run_if.template operator()<HeadDims>() || ...)) return;
  kernels::plain_attention<E>(queue.stream(), q, k, v, out, lse, output, mask);
}

}  // namespace weft::inline v0_1::cuda
