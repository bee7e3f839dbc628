// Norms on a CUDA device, of features and of the heads of attention.
#pragma once

#include <algorithm>
#include <vector>

#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/operators.hpp"
#include "weft/heads.cuh"
#include "weft/norm.cuh"

namespace weft::inline v0_1::cuda {

namespace detail {

/// Returns a view's numbers, or null if it is empty.
template <class T, int Rank>
T* numbers_of(const View<T, Rank>& view) {
  return view.empty() ? nullptr : view.data;
}

inline kernels::NormConstants norm_constants(const NormWeights& weights, const Modulation& modulation = {}) {
  const auto table = [](const View<const float, 3>& view) {
    return kernels::NormConstants::Table{numbers_of(view), view.stride[0], view.stride[1]};
  };
  return {numbers_of(weights.scale),      numbers_of(weights.shift), table(modulation.scale),
          table(modulation.shift),        modulation.step,           weights.epsilon,
          weights.kind == NormKind::layer};
}

template <class E>
kernels::HeadMove<E> head_move(const HeadMove<E>& move) {
  const bool rotates = !move.rotation.cos.empty();
  kernels::HeadChange change{.norms = move.norm != nullptr, .rotates = rotates};
  if (move.norm) {
    change.scale = numbers_of(move.norm->scale);
    change.shift = numbers_of(move.norm->shift);
    change.epsilon = move.norm->epsilon;
    change.centers = move.norm->kind == NormKind::layer;
  }
  if (rotates)
    change.angles = {move.rotation.cos.data, move.rotation.sin.data, move.rotation.cos.stride[0],
                     move.rotation.sin.stride[0]};
  return {move.from, move.to, change};
}

}  // namespace detail

/// Computes LayerNorm over features, then each image's modulation: x → out, both (tokens, images, features).
template <class E>
void norm(Queue& queue, In<E, 3> x, const NormWeights& weights, const Modulation& modulation,
          const View<E, 3>& out) {
  const auto span = queue.span(
      Work{"norm", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 2 * out.size() * bytes_of<E>});
  kernels::norm<E>(queue.stream(), x, {}, detail::norm_constants(weights, modulation), out);
}

/// Computes LayerNorm over the concatenated features of x and skip: both
/// (tokens, images, features) → out (tokens, images, 2 · features).
template <class E>
void norm_pair(Queue& queue, In<E, 3> x, In<E, 3> skip, const NormWeights& weights, const View<E, 3>& out) {
  const auto span = queue.span(
      Work{"norm_pair", {out.extent[0] * out.extent[1], out.extent[2]}, 0, 2 * out.size() * bytes_of<E>});
  kernels::norm<E>(queue.stream(), x, skip, detail::norm_constants(weights), out);
}

/// Moves heads to where attention reads them; all moves have the same number of images and the same head_dim.
template <class E>
void move_heads(Queue& queue, const std::vector<HeadMove<E>>& moves) {
  if (moves.empty()) return;
  Index heads = 0;  // of all tokens and images
  for (const HeadMove<E>& move : moves) heads += move.to.extent[0] * move.to.extent[1] * move.to.extent[2];
  const Index head_dim = moves.front().to.extent[3];
  const auto span = queue.span(Work{"move_heads", {heads, head_dim}, 0, 2 * heads * head_dim * bytes_of<E>});
  using Batch = kernels::HeadMoves<E>;
  for (std::size_t first = 0; first < moves.size(); first += Batch::most) {
    Batch batch{};
    const std::size_t end = std::min(moves.size(), first + Batch::most);
    for (std::size_t i = first; i < end; ++i) batch.move[batch.count++] = detail::head_move(moves[i]);
    kernels::launch_head_moves<E>(queue.stream(), batch);
  }
}

/// Computes LayerNorm over every head, unless `weights` is null, then its token's rotation: x → out, both
/// (tokens, images, heads, head_dim). May be in place.
template <class E>
void norm_rotate(Queue& queue, In<E, 4> x, const NormWeights* weights, const Rotation& rotation,
                 const View<E, 4>& out) {
  move_heads<E>(queue, {{x, out, weights, rotation}});
}

}  // namespace weft::inline v0_1::cuda
