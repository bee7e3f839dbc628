// A block of a matrix product on sm_90a: its warpgroups, whatever ends its tiles.
#pragma once

#include "weft/product/sm90/producer.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Runs a block of a product: its producer, and its consumers, each as consume(shared, its number).
template <class L, class Consume>
__device__ void run_product(const OperandMaps& maps, const ProductProblem<typename L::Element>& problem,
                            const Consume& consume) {
  extern __shared__ __align__(swizzle_span) unsigned char memory[];
  auto& shared = *reinterpret_cast<typename L::Shared*>(memory);
  L::init(shared);
  if (threadIdx.x < warpgroup_size) {
    shrink_registers<L::producer_registers>();
    if (threadIdx.x == 0) ProductProducer<L>{shared, maps, problem}.run();
  } else {
    grow_registers<L::consumer_registers>();
    consume(shared, __shfl_sync(all_lanes, threadIdx.x / warpgroup_size - 1, 0));
  }
  cluster_sync();  // no block leaves while another may still write here
}

}  // namespace weft::inline v0_1::kernels::sm90
