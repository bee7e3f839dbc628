// Linear layers of heads, with the moves that bring the heads to where attention reads them: in one kernel
// where that is faster.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/backend/cuda/attention.cuh"
#include "weft/backend/cuda/e4m3.cuh"
#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/norm.cuh"
#include "weft/backend/operators.hpp"
#include "weft/backend/project_heads.hpp"
#include "weft/head_product.cuh"

namespace weft::inline v0_1::cuda {

namespace detail {

/// Takes from `moves` what they move of the heads in `out` (tokens × images, features), and returns it.
template <class E>
std::vector<HeadMove<E>> take_moves_of(const View<E, 2>& out, std::vector<HeadMove<E>>& moves) {
  std::vector<HeadMove<E>> taken, left;
  for (const HeadMove<E>& move : moves) {
    const auto add_part = [&move](std::vector<HeadMove<E>>& to, Range tokens) {
      if (!tokens.empty())
        to.push_back({move.from.template slice<0>(tokens), move.to.template slice<0>(tokens), move.norm,
                      move.rotation.rows(tokens)});
    };
    const Index images = move.from.extent[1], all = move.from.extent[0], pitch = images * out.stride[0],
                offset = move.from.data - out.data, first = offset / pitch - (offset % pitch < 0);
    const Index begin = std::clamp<Index>(-first, 0, all),
                end = std::clamp<Index>(out.extent[0] / images - first, begin, all);
    add_part(left, {0, begin});
    add_part(taken, {begin, end});
    add_part(left, {end, all});
  }
  moves = std::move(left);
  return taken;
}

/// Runs a layer and the moves of its heads, of which there are some, of head_dim features, in one kernel;
/// returns false, having done nothing, where it cannot or a layer and moves after it are faster.
template <int head_dim, class E, class O>
[[nodiscard]] bool run_head_product(Queue& queue, const HeadProjection<E, O>& projection,
                                    const std::vector<HeadMove<E>>& moves, HeadsGo where) {
  const auto& [x, layer, out] = projection;
  kernels::HeadProductArguments<O, E> product{
      .x = x, .weight = layer.weight, .rows = {out, moves.front().to.extent[1]}};
  if constexpr (!std::is_same_v<E, O>)
    if (!layer.scale.empty()) product.scale = layer.scale.data;
  if (!layer.bias.empty()) product.bias = layer.bias.data;
  if (!kernels::takes_head_product(product) ||
      !kernels::head_product_pays<head_dim>(product, where == HeadsGo::to_other_ranks))
    return false;
  std::vector<kernels::HeadMove<E>> kernel_moves;
  for (const HeadMove<E>& move : moves) kernel_moves.push_back(head_move(move));
  const auto destinations = kernels::head_destinations<E>(product.rows, kernel_moves);
  if (!destinations) return false;
  const Index rows = x.extent[0], inputs = x.extent[1], outputs = layer.outputs();
  if constexpr (!std::is_same_v<E, O>) count_saturated(queue, x);
  const auto span =
      queue.span(Work{"project_heads",
                      {rows, inputs, outputs},
                      2.0 * static_cast<double>(rows * inputs * outputs),
                      (rows * inputs + inputs * outputs) * bytes_of<O> + rows * outputs * bytes_of<E>});
  kernels::head_product<head_dim, O, E>(queue.stream(), product, *destinations,
                                        queue.products().partial_sums());
  return true;
}

}  // namespace detail

/// Runs the layers, whose operands are elements or e4m3, then the moves, whose heads may be of their outputs.
/// Outputs of which moves take all are left undefined.
template <class E, class O, int... HeadDims>
void project_heads(QueueFor<HeadDims...>& queue, const std::vector<HeadProjection<E, O>>& projections,
                   std::vector<HeadMove<E>> moves, HeadsGo where) {
  std::vector<HeadProjection<E, O>> apart;
  std::vector<HeadMove<E>> apart_moves;
  for (const HeadProjection<E, O>& one : projections) {
    const std::vector<HeadMove<E>> own = detail::take_moves_of(one.out, moves);
    const auto run_if = [&]<int head_dim>() {
      if constexpr (kernels::has_head_product<head_dim> && sizeof(E) == 2)
        return !own.empty() && own.front().to.extent[3] == head_dim &&
               detail::run_head_product<head_dim>(queue, one, own, where);
      return false;
    };
    if ((run_if.template operator()<HeadDims>() || ...)) continue;
    apart.push_back(one);
    apart_moves.insert(apart_moves.end(), own.begin(), own.end());
  }
  apart_moves.insert(apart_moves.end(), moves.begin(), moves.end());
  v0_1::detail::project_heads(queue, apart, apart_moves, where);
}

}  // namespace weft::inline v0_1::cuda
