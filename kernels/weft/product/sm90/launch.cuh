// What all matrix products of sm_90a have in common on the host: tiles, tensor maps and the launch.
#pragma once

#include <algorithm>
#include <type_traits>

#include "weft/device.cuh"
#include "weft/product/sm90/choice.hpp"
#include "weft/product/sm90/layout.cuh"
#include "weft/tier.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Returns the problem of an output (outer, inner, outputs), but for its tiles and what finishes it.
template <class E>
ProductProblem<E> product_problem(int outer, int inner, int outputs, int depth_tiles, int taps,
                                  PartialSums partial) {
  ProductProblem<E> problem{};
  problem.outer = outer;
  problem.inner = inner;
  problem.outputs = outputs;
  problem.box_inner = rows_side_by_side(outer, inner);
  problem.inner_tiles = ceil_div(inner, problem.box_inner);
  problem.row_pairs = ceil_div(problem.row_tiles(), product_cluster);
  problem.depth_tiles = depth_tiles;
  problem.tap_count = taps;
  problem.partial = partial;
  return problem;
}

/// Returns the extents of a product.
template <class E>
ProductSize size_of(const ProductProblem<E>& problem) {
  return {problem.row_tiles(), problem.outputs, problem.depth_tiles * problem.tap_count};
}

template <class E>
void set_tiles(ProductProblem<E>& problem, const ProductPlan& plan) {
  problem.column_tiles = ceil_div(problem.outputs, plan.columns);
  problem.whole_tiles = plan.whole_tiles;
  problem.last_tiles = plan.last_tiles;
  problem.parts = plan.parts;
  problem.items = plan.items();
}

/// Returns the tensor map of rows (outer, inner, columns) in boxes of `count` rows of a tile.
template <class E, class T>
CUtensorMap rows_map(const ProductProblem<E>& problem, const View<T, 3>& rows, int count, int columns,
                     const char* name) {
  const int inner = std::min(problem.box_inner, count);
  return tensor_map(rows, count / inner, inner, columns, name);
}

/// Returns the maps of the operands x (outer, inner, depth) and weight (taps, outputs, depth).
template <class L, class E>
OperandMaps operand_maps(const ProductProblem<E>& problem, const View<const typename L::Operand, 3>& x,
                         const View<const typename L::Operand, 3>& weight) {
  OperandMaps maps{};
  maps.x = rows_map(problem, x, L::rows, L::depth, "a product's rows");
  maps.weight = tensor_map(weight, 1, L::columns / L::cluster, L::depth, "a product's weights");
  return maps;
}

/// Launches a kernel of products with tiles of layout L.
template <class L, class... Parameters>
void launch_clusters(cudaStream_t stream, int clusters, void (*kernel)(Parameters...),
                     const std::type_identity_t<Parameters>&... parameters) {
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {L::cluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = clusters * L::cluster;
  config.blockDim = L::threads;
  config.dynamicSmemBytes = sizeof(typename L::Shared);
  config.stream = stream;
  config.attrs = &cluster;
  config.numAttrs = 1;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, config.dynamicSmemBytes),
        "reserving a product's shared memory");
  check(cudaLaunchKernelEx(&config, kernel, parameters...), "launching a product");
}

}  // namespace weft::inline v0_1::kernels::sm90
