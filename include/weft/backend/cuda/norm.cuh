// Norms on a CUDA device, and heads on their way to attention.
#pragma once

#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/operators.hpp"
#include "weft/heads.cuh"
#include "weft/norm.cuh"

namespace weft::cuda {

namespace detail {

inline kernels::NormConstants norm_constants(const NormWeights& weights, const Modulation& modulation = {}) {
  const auto& more = modulation.scale.empty() ? modulation.shift : modulation.scale;
  return {weights.scale.data, weights.shift.data, modulation.scale.data, modulation.shift.data,
          more.stride[0],     more.stride[1],     modulation.step,       weights.epsilon};
}

template <class E>
kernels::HeadMove<E> head_move(const View<const E, 4>& from, const NormWeights* weights, bool rotates,
                               const View<E, 4>& to) {
  kernels::HeadMove<E> move{from, to, weights != nullptr, rotates};
  if (weights)
    move.scale = weights->scale.data, move.shift = weights->shift.data, move.epsilon = weights->epsilon;
  return move;
}

inline kernels::Angles angles(const Rotation& rotation) {
  return {rotation.cos.data, rotation.sin.data, rotation.cos.stride[0]};
}

}  // namespace detail

/// LayerNorm over features, then a picture's own modulation: x → out, both (tokens, pictures, features).
template <class E>
void norm(Queue& queue, In<E, 3> x, const NormWeights& weights, const Modulation& modulation,
          const View<E, 3>& out) {
  const auto span = queue.span(
      Work{"norm", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 2 * out.size() * bytes_of<E>});
  kernels::norm<E>(queue.stream(), x, {}, detail::norm_constants(weights, modulation), out);
}

/// LayerNorm over the features of x and of skip, as if they stood side by side: both
/// (tokens, pictures, features) → out (tokens, pictures, 2 · features).
template <class E>
void norm_pair(Queue& queue, In<E, 3> x, In<E, 3> skip, const NormWeights& weights, const View<E, 3>& out) {
  const auto span = queue.span(
      Work{"norm_pair", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 2 * out.size() * bytes_of<E>});
  kernels::norm<E>(queue.stream(), x, skip, detail::norm_constants(weights), out);
}

/// LayerNorm over every head, unless `weights` is null, then the rotation of its token: x → out, both
/// (tokens, pictures, heads, head_dim). May be in place.
template <class E>
void norm_rotate(Queue& queue, In<E, 4> x, const NormWeights* weights, const Rotation& rotation,
                 const View<E, 4>& out) {
  const auto span = queue.span(Work{"norm_rotate",
                                    {out.extent[0] * out.extent[1], out.extent[2], out.extent[3]},
                                    0,
                                    2 * out.size() * bytes_of<E>});
  const bool rotates = !rotation.cos.empty();
  kernels::launch_head_moves<E>(
      queue.stream(), {{detail::head_move<E>(x, weights, rotates, out), {}, {}}, detail::angles(rotation)},
      1);
}

/// Every head of a unit's tokens to where attention reads it: q and k normed and rotated, v as it is. Each
/// may be there already. All (tokens, pictures, heads, head_dim).
template <class E>
void place_heads(Queue& queue, const Heads<E>& heads, const View<E, 4>& q, const View<E, 4>& k,
                 const View<E, 4>& v) {
  const int count = v.data == heads.v.data ? 2 : 3;
  const auto span = queue.span(Work{"place_heads",
                                    {q.extent[0] * q.extent[1], q.extent[2], q.extent[3]},
                                    0,
                                    2 * count * q.size() * bytes_of<E>});
  const bool rotates = !heads.rotation.cos.empty();
  kernels::launch_head_moves<E>(queue.stream(),
                                {{detail::head_move<E>(heads.q, heads.q_norm, rotates, q),
                                  detail::head_move<E>(heads.k, heads.k_norm, rotates, k),
                                  detail::head_move<E>(heads.v, nullptr, false, v)},
                                 detail::angles(heads.rotation)},
                                count);
}

}  // namespace weft::cuda
