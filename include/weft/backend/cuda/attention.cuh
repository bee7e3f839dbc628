// Attention on a CUDA device: on tensor cores in half precision, for the head dimensions of the queue.
#pragma once

#include <array>

#include "weft/attention.cuh"
#include "weft/backend/cuda/check.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/cuda/wide_attention.cuh"
#include "weft/core/key_mask.hpp"
#include "weft/core/stretches.hpp"
#include "weft/plain_attention.cuh"

namespace weft::inline v0_1::cuda {

namespace detail {

/// Returns the work of a call of attention, under a name.
template <class E>
Work attention_work(const char* name, const View<const E, 4>& q, const View<const E, 4>& k) {
  const Index keys = k.extent[0];
  return {name,
          {q.extent[0], keys, q.extent[1] * q.extent[2], q.extent[3]},
          4.0 * static_cast<double>(q.size()) * static_cast<double>(keys),
          (2 * q.size() + 2 * k.size()) * bytes_of<E>};
}

/// Computes attention of heads of fewer features than HeadDim, in copies that zeros widen.
template <int HeadDim, class E>
void padded_attention(Queue& queue, In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
                      const View<float, 3>& lse, Output output, const KeyMask& mask) {
  if (out.empty()) return;
  const auto wider = [](View<const E, 4> heads) {
    heads.extent[3] = HeadDim;
    return View<E, 4>(nullptr, heads.extent);
  };
  View<E, 4> wide_q = wider(q), wide_k = wider(k), wide_v = wider(v), wide_out = wider(q);
  const std::array all{&wide_q, &wide_k, &wide_v, &wide_out};
  Index size = 0;
  for (const View<E, 4>* view : all) size += view->size();
  E* room = static_cast<E*>(queue.room(static_cast<std::size_t>(size) * sizeof(E)));
  for (View<E, 4>* view : all) {
    view->data = room;
    room += view->size();
  }
  const auto widen = [&queue](View<const E, 4> from, const View<E, 4>& to) {
    const kernels::RowsOf<E, 4> rows = to;
    kernels::for_each_number(queue.stream(), rows.count(), rows.width, kernels::Widen<E, 4>{from, rows});
  };
  widen(q, wide_q);
  widen(k, wide_k);
  widen(v, wide_v);
  if (output == Output::merge) widen(out, wide_out);
  kernels::attention<HeadDim, E>(queue.stream(), wide_q, wide_k, wide_v, wide_out, lse, output, mask,
                                 q.extent[3]);
  const kernels::RowsOf<E, 4> rows = out;
  kernels::for_each_number(queue.stream(), rows.count(), rows.width, kernels::Copy<E, E, 4>{wide_out, rows});
}

}  // namespace detail

/// Computes out = softmax(q · kᵀ / √head_dim) · v for every image and head.
/// q, out (n, images, heads, head_dim); k, v (keys, images, key heads, head_dim), whose heads divide those of
/// q, each for as many in a row; lse (n, images, heads), the logarithm of the sum of exponentials, or empty.
/// Keys that `mask` hides do not exist. Without keys out is 0 and lse −∞. With Output::merge, out and lse
/// hold attention over other keys, and then attention over both. Stretches of `out` may lie in other GPUs'
/// memory, which the kernel then stores into. Half precision takes the narrowest of HeadDims that holds the
/// heads.
template <class E, int... HeadDims>
void attention(QueueFor<HeadDims...>& queue, In<E, 4> q, In<E, 4> k, In<E, 4> v, const Stretches<E, 4>& out,
               const View<float, 3>& lse = {}, Output output = Output::replace, const KeyMask& mask = {}) {
  const Index keys = k.extent[0];
  const auto span = queue.span(detail::attention_work<E>("attention", q, k));
  [[maybe_unused]] const auto run_if = [&]<int head_dim>() {
    if constexpr (!std::is_same_v<E, float>) {
      if (padded_head_dim<HeadDims...>(q.extent[3]) != head_dim) return false;
      if (q.extent[3] == head_dim) {
        kernels::attention<head_dim, E>(queue.stream(), q, k, v, out, lse, output, mask);
      } else {
        for_each_stretch(q, out, lse, [&](const auto& q_rows, const auto& out_rows, const auto& lse_rows) {
          detail::padded_attention<head_dim, E>(queue, q_rows, k, v, out_rows, lse_rows, output, mask);
        });
      }
      return true;
    }
    return false;
  };
  if ((run_if.template operator()<HeadDims>() || ...)) return;
  const bool is_wide = q.extent[3] > detail::widest_fused_head && mask.empty() && keys > 0 && !q.empty();
  for_each_stretch(q, out, lse, [&](const auto& q_rows, const auto& out_rows, const auto& lse_rows) {
    if (is_wide) {
      detail::wide_attention<E>(queue, q_rows, k, v, out_rows, lse_rows, output);
    } else {
      kernels::plain_attention<E>(queue.stream(), q_rows, k, v, out_rows, lse_rows, output, mask);
    }
  });
}

template <class Out, int... HeadDims>
void attention(QueueFor<HeadDims...>& queue, const auto& q, const auto& k, const auto& v,
               const View<Out, 4>& out, const View<float, 3>& lse = {}, Output output = Output::replace,
               const KeyMask& mask = {}) {
  attention(queue, q, k, v, Stretches<Out, 4>(out), lse, output, mask);
}

}  // namespace weft::inline v0_1::cuda
