// Matrix products on sm_90a, warp-specialised and persistent: out = x · weightᵀ, with everything that follows
// while the numbers are in registers. Two blocks of a cluster compute tiles one above the other and load the
// weights of both together. A block's first warpgroup, the producer, loads operands into the stages of a
// pipeline in shared memory, and the others, the consumers, multiply 64 rows each.
#pragma once

#include <algorithm>
#include <array>

#include "weft/product/sm90/block.cuh"
#include "weft/product/sm90/consumer.cuh"
#include "weft/product/sm90/launch.cuh"

namespace weft::inline v0_1::kernels::sm90 {

template <class L>
__global__ __launch_bounds__(L::threads, 1) void multiply(
    const __grid_constant__ ProductMaps maps,
    const __grid_constant__ ProductProblem<typename L::Element> problem) {
  if constexpr (compiled_tier == Tier::sm90a)
    run_product<L>(
        maps.operands, problem,
        [&](typename L::Shared& shared, int consumer) {
          ProductConsumer<L>{{shared, problem, consumer}, maps.out}.run();
        },
        [](typename L::Shared&, int) {});
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
  ProductMaps maps{};
  maps.operands = operand_maps<L>(problem, x, weight);
  if (finish.residual.data) {
    const auto& [data, stride, extent, width] = finish.residual;
    const View<const E, 3> residual(data, out.extent, {stride[0], stride[1], 1});
    maps.operands.residual = rows_map(problem, residual, wgmma_rows, box_columns, "a product's residual");
  }
  maps.out = rows_map(problem, out, warp_rows, box_columns, "a product's output");
  launch_clusters<L>(stream, clusters, multiply<L>, maps, problem);
}

template <class Operand, class E>
void launch_product(cudaStream_t stream, const ProductArguments<Operand, E>& arguments, PartialSums partial) {
  const auto& [x, weight, taps, finish, out] = arguments;
  constexpr int depth = swizzle_bytes / sizeof(Operand);  // of a stage
  auto problem = product_problem<E>(out.extent[0], out.extent[1], out.extent[2], ceil_div(x.extent[2], depth),
                                    weight.extent[0], partial);
  std::copy(taps.begin(), taps.end(), problem.taps);
  problem.finish = finish;
  const ProductPlan plan = choose_product(size_of(problem), multiprocessors());
  set_tiles(problem, plan);
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
