// Linear layers of heads, with the moves that bring the heads to where attention reads them: in one kernel
// where that is faster.
#pragma once

#include <type_traits>
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

/// Runs the layers and the moves, of heads of head_dim features, by a kernel a layer; returns false, having
/// done nothing, where it cannot or the layers and the moves apart are faster.
template <int head_dim, class E, class O>
[[nodiscard]] bool run_head_products(Queue& queue, const std::vector<HeadProjection<E, O>>& projections,
                                     const std::vector<HeadMove<E>>& moves) {
  std::vector<kernels::HeadMove<E>> kernel_moves;
  Index numbers = 0;
  for (const HeadMove<E>& move : moves) {
    kernel_moves.push_back(head_move(move));
    numbers += move.to.size();
  }
  std::vector<kernels::HeadProductArguments<O, E>> products;
  std::vector<kernels::HeadDestinations<E>> destinations;
  for (const auto& [x, layer, out] : projections) {
    kernels::HeadProductArguments<O, E> product{
        .x = x, .weight = layer.weight, .rows = {out, moves.front().to.extent[1]}};
    if constexpr (!std::is_same_v<E, O>)
      if (!layer.scale.empty()) product.scale = layer.scale.data;
    if (!layer.bias.empty()) product.bias = layer.bias.data;
    const auto found = kernels::head_destinations<E>(product.rows, kernel_moves);
    if (!found || !kernels::takes_head_product(product) || !kernels::head_product_pays<head_dim>(product))
      return false;
    products.push_back(product);
    destinations.push_back(*found);
    numbers -= found->moved;
  }
  if (numbers != 0) return false;  // some moves are of other heads
  for (std::size_t i = 0; i < products.size(); ++i) {
    const auto& [x, weight, scale, bias, rows] = products[i];
    const Index count = x.extent[0], inputs = x.extent[1], outputs = weight.extent[0];
    if constexpr (!std::is_same_v<E, O>) count_saturated(queue, x);
    const auto span =
        queue.span(Work{"project_heads",
                        {count, inputs, outputs},
                        2.0 * static_cast<double>(count * inputs * outputs),
                        (count * inputs + inputs * outputs) * bytes_of<O> + count * outputs * bytes_of<E>});
    kernels::head_product<head_dim, O, E>(queue.stream(), products[i], destinations[i],
                                          queue.products().partial_sums());
  }
  return true;
}

}  // namespace detail

/// Runs the layers, whose operands are elements or e4m3, then the moves, whose heads may be of their outputs.
/// Outputs of which moves take all are left undefined.
template <class E, class O, int... HeadDims>
void project_heads(QueueFor<HeadDims...>& queue, const std::vector<HeadProjection<E, O>>& projections,
                   const std::vector<HeadMove<E>>& moves) {
  const auto run_if = [&]<int head_dim>() {
    if constexpr (kernels::has_head_product<head_dim> && sizeof(E) == 2)
      return moves.front().to.extent[3] == head_dim &&
             detail::run_head_products<head_dim>(queue, projections, moves);
    return false;
  };
  if (!moves.empty() && (run_if.template operator()<HeadDims>() || ...)) return;
  v0_1::detail::project_heads(queue, projections, moves);
}

}  // namespace weft::inline v0_1::cuda
