// Matrix products on sm_90a, warp-specialised and persistent: out = x · weightᵀ, with everything that follows
// while the numbers are in registers. Two blocks of a cluster compute tiles one above the other and load the
// weights of both together. A block's first warpgroup, the producer, loads operands into the stages of a
// pipeline in shared memory, and the others, the consumers, multiply 64 rows each.
#pragma once

#include <algorithm>
#include <array>

#include "weft/device.cuh"
#include "weft/product/sm90/choice.hpp"
#include "weft/product/sm90/consumer.cuh"
#include "weft/product/sm90/producer.cuh"
#include "weft/tier.cuh"

namespace weft::inline v0_1::kernels::sm90 {

template <class Operand, class E, int Columns>
__global__ __launch_bounds__(ProductLayout<Operand, E, Columns>::threads,
                             1) void multiply(const __grid_constant__ ProductMaps maps,
                                              const __grid_constant__ ProductProblem<E> problem) {
  if constexpr (compiled_tier == Tier::sm90a) {
    using L = ProductLayout<Operand, E, Columns>;
    extern __shared__ __align__(swizzle_span) unsigned char memory[];
    auto& shared = *reinterpret_cast<typename L::Shared*>(memory);
    L::init(shared);
    if (threadIdx.x < warpgroup_size) {
      shrink_registers<L::producer_registers>();
      if (threadIdx.x == 0) ProductProducer<Operand, E, Columns>{shared, maps, problem}.run();
    } else {
      grow_registers<L::consumer_registers>();
      const int consumer = __shfl_sync(all_lanes, threadIdx.x / warpgroup_size - 1, 0);
      ProductConsumer<Operand, E, Columns>{shared, maps, problem, consumer}.run();
    }
    cluster_sync();  // no block leaves while another may still write here
  }
}

/// The arguments of a product: x (rows of the taps, depth) and weight (taps, outputs, depth).
template <class Operand, class E>
struct ProductArguments {
  View<const Operand, 3> x, weight;
  std::array<Tap, most_taps> taps;
  Finish<E> finish;
  View<E, 3> out;
};

template <int Columns, class Operand, class E>
void launch_tiled(cudaStream_t stream, const ProductArguments<Operand, E>& arguments,
                  const ProductProblem<E>& problem, int clusters) {
  using L = ProductLayout<Operand, E, Columns>;
  const auto& [x, weight, taps, finish, out] = arguments;

  const auto rows_map = [&problem](const auto& view, int rows, int columns, const char* name) {
    const int inner = std::min(problem.box_inner, rows);
    return tensor_map(view, rows / inner, inner, columns, name);
  };
  ProductMaps maps{};
  maps.x = rows_map(x, L::rows, L::depth, "a product's rows");
  maps.weight = tensor_map(weight, 1, Columns / L::cluster, L::depth, "a product's weights");
  if (finish.residual.data) {
    const auto& [data, stride, extent, width] = finish.residual;
    maps.residual = rows_map(View<const E, 3>(data, out.extent, {stride[0], stride[1], 1}), wgmma_rows,
                             box_columns, "a product's residual");
  }
  maps.out = rows_map(out, warp_rows, box_columns, "a product's output");

  const auto kernel = multiply<Operand, E, Columns>;

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
  check(cudaLaunchKernelEx(&config, kernel, maps, problem), "launching a product");
}

template <class Operand, class E>
void launch_product(cudaStream_t stream, const ProductArguments<Operand, E>& arguments, PartialSums partial) {
  const auto& [x, weight, taps, finish, out] = arguments;
  const int outer = out.extent[0], inner = out.extent[1];
  ProductProblem<E> problem{};
  problem.outer = outer;
  problem.inner = inner;
  problem.outputs = out.extent[2];
  problem.box_inner = rows_side_by_side(outer, inner);
  problem.inner_tiles = ceil_div(inner, problem.box_inner);
  const int row_tiles = problem.inner_tiles * ceil_div(outer, product_rows / problem.box_inner);
  problem.row_pairs = ceil_div(row_tiles, product_cluster);
  problem.depth_tiles = ceil_div(x.extent[2], swizzle_bytes / sizeof(Operand));
  problem.tap_count = weight.extent[0];
  std::copy(taps.begin(), taps.end(), problem.taps);
  problem.finish = finish;
  const ProductPlan plan = choose_product(
      {row_tiles, problem.outputs, problem.depth_tiles * problem.tap_count}, multiprocessors());
  problem.column_tiles = ceil_div(problem.outputs, plan.columns);
  problem.whole_tiles = plan.whole_tiles;
  problem.last_tiles = plan.last_tiles;
  problem.parts = plan.parts;
  problem.items = plan.items();
  problem.partial = partial;
  switch (plan.columns) {
    case 256:
      return launch_tiled<256>(stream, arguments, problem, plan.clusters);
    case 192:
      return launch_tiled<192>(stream, arguments, problem, plan.clusters);
    case 128:
      return launch_tiled<128>(stream, arguments, problem, plan.clusters);
  }
}

}  // namespace weft::inline v0_1::kernels::sm90
