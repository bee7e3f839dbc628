// A block of a matrix product on sm_90a: its warpgroups, whatever ends its tiles.
#pragma once

#include "weft/product/sm90/producer.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Runs a block of a product: a thread as the producer, each consumer warpgroup as consume(shared, its
/// number), and the warps beside the producer's as finish(shared, their number).
template <class L, class Consume, class Finish>
__device__ void run_product(const OperandMaps& maps, const ProductProblem<typename L::Element>& problem,
                            const Consume& consume, const Finish& finish) {
  extern __shared__ __align__(swizzle_span) unsigned char memory[];
  auto& shared = *reinterpret_cast<typename L::Shared*>(memory);
  L::init(shared);
  const int warp = __shfl_sync(all_lanes, threadIdx.x / warp_size, 0);
  if (warp < warpgroup_warps) {
    shrink_registers<L::producer_registers>();
    if (warp > 0) {
      finish(shared, warp - 1);
    } else if (threadIdx.x == 0) {
      ProductProducer<L>{shared, maps, problem}.run();
    }
  } else {
    grow_registers<L::consumer_registers>();
    consume(shared, warp / warpgroup_warps - 1);
  }
  cluster_sync();  // no block leaves while another may still write here
}

}  // namespace weft::inline v0_1::kernels::sm90
