// Matrix products whose outputs are heads of attention, with all that brings them to where attention reads
// them, on this GPU and others, in one kernel, for GPUs that have it: stores to other GPUs then take place
// during the product.
#pragma once

#include <algorithm>
#include <type_traits>

#include "weft/product.cuh"
#include "weft/product/heads.cuh"
#include "weft/product/sm90/block.cuh"
#include "weft/product/sm90/head_consumer.cuh"
#include "weft/product/sm90/head_finisher.cuh"
#include "weft/product/sm90/launch.cuh"

namespace weft::inline v0_1::kernels {

/// The arguments of a product of heads: x (rows, depth), weight (outputs, depth), and the output (rows,
/// outputs) as moves see it.
template <class Operand, class E>
struct HeadProductArguments {
  View<const Operand, 2> x, weight;
  const float* scale = nullptr;  // of all outputs
  const E* bias = nullptr;       // (outputs)
  HeadRows<E> rows;
};

namespace sm90 {

template <class L>
__global__ __launch_bounds__(L::threads, 1) void multiply_heads(
    const __grid_constant__ OperandMaps maps,
    const __grid_constant__ ProductProblem<typename L::Element> problem,
    const __grid_constant__ HeadTargets<typename L::Element> targets) {
  if constexpr (compiled_tier == Tier::sm90a)
    run_product<L>(
        maps, problem,
        [&](typename L::Shared& shared, int consumer) {
          HeadConsumer<L>{{shared, problem, consumer}, targets}.run();
        },
        [&](typename L::Shared& shared, int warp) {
          HeadFinisher<L>{shared, problem, targets, warp}.run();
        });
}

template <int head_dim, class Operand, class E>
void launch_head_product(cudaStream_t stream, const HeadProductArguments<Operand, E>& arguments,
                         const HeadDestinations<E>& destinations, PartialSums partial) {
  using L = HeadLayout<Operand, E, head_dim>;
  const auto& [x, weight, scale, bias, rows] = arguments;
  auto problem = product_problem<E>(1, x.extent[0], weight.extent[0],
                                    ceil_div(static_cast<int>(x.extent[1]), L::depth), 1, partial);
  problem.finish.scale = scale;
  problem.finish.bias = bias;
  const ProductPlan plan = plan_product(size_of(problem), multiprocessors(), L::columns);
  set_tiles(problem, plan);
  HeadTargets<E> targets{};
  targets.images = static_cast<int>(rows.images);
  std::copy(destinations.changes.begin(), destinations.changes.end(), targets.change);
  for (const auto& [block, to, change] : destinations.all) {
    const int i = targets.count++;
    targets.map[i] = tensor_map(to, 1, warp_rows, L::box_width, "heads", L::swizzle);
    targets.block[i] = block;
    targets.change_of[i] = change;
    targets.first[i] = to.data;
    targets.pitch[i] = to.stride[1];
  }
  launch_clusters<L>(stream, plan.clusters, multiply_heads<L>,
                     operand_maps<L>(problem, one_below_the_other(x), one_below_the_other(weight)), problem,
                     targets);
}

}  // namespace sm90

/// Whether there are products of heads of so many features.
template <int head_dim>
inline constexpr bool has_head_product =
    head_dim == 64 || head_dim == 72 || head_dim == 88 || head_dim == 128;

/// Returns whether head_product() runs on the current device for these arguments: in half precision on
/// sm_90a, of operands in half precision or e4m3, where all rows and vectors begin at multiples of 16 bytes.
template <class Operand, class E>
bool takes_head_product(const HeadProductArguments<Operand, E>& arguments) {
  if constexpr (std::is_same_v<E, __nv_bfloat16> || std::is_same_v<E, __half>) {
    return current_tier() == Tier::sm90a &&
           rows_begin_aligned(one_below_the_other(arguments.x), sizeof(Operand)) &&
           rows_begin_aligned(one_below_the_other(arguments.weight), sizeof(Operand)) &&
           begins_aligned(arguments.bias);
  }
  return false;
}

/// Returns whether head_product() is faster than cuBLASLt's product and moves after it, by what was measured
/// (NOTES.md): with heads that go to other GPUs where there are tiles for two rounds; otherwise where there
/// are many, the more if they are narrow, since those read more from the second-level cache.
template <int head_dim, class Operand, class E>
bool head_product_pays(const HeadProductArguments<Operand, E>& arguments, bool to_other_gpus) {
  constexpr int columns = sm90::head_tile_columns<head_dim>;
  const int rounds = to_other_gpus ? 2 : columns == 256 ? 9 : 24;
  const int row_tiles = ceil_div(static_cast<int>(arguments.x.extent[0]), sm90::product_rows),
            column_tiles = ceil_div(static_cast<int>(arguments.weight.extent[0]), columns);
  return ceil_div(row_tiles, sm90::product_cluster) * column_tiles >=
         rounds * (multiprocessors() / sm90::product_cluster);
}

/// Computes x · weightᵀ · scale + bias, and stores the heads of head_dim features at their destinations,
/// changed as those say. Products that run at the same time need partial sums of their own.
template <int head_dim, class Operand, class E>
void head_product(cudaStream_t stream, const HeadProductArguments<Operand, E>& arguments,
                  const HeadDestinations<E>& destinations, PartialSums partial) {
  sm90::launch_head_product<head_dim>(stream, arguments, destinations, partial);
}

}  // namespace weft::inline v0_1::kernels
