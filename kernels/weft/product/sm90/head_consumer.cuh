// The consumer warpgroup of a matrix product on sm_90a whose outputs are heads.
#pragma once

#include "weft/product/sm90/head_layout.cuh"
#include "weft/product/sm90/sums.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// A consumer warpgroup, which leaves its rows of a tile to the finishers, rounded.
template <class L>
struct HeadConsumer : ProductSums<L> {
  using Base = ProductSums<L>;
  using Base::consumer, Base::lane, Base::problem, Base::shared, Base::sums, Base::warp;

  std::uint32_t parity = 1;  // of the phase in which the finishers took the warp's last rows

  /// Leaves the tile's sums, each warp its rows.
  __device__ void leave() {
    const bool has_bias = problem.has_vectors();
    const int stage = has_bias ? this->next_stage() : 0;
    this->template add_bias<L::columns / 8>(sums, shared.stage[stage].vectors, 0);
    const int block = consumer * warpgroup_warps + warp;
    shared.taken[block].wait(parity);
    parity ^= 1;
#pragma unroll
    for (int c = 0; c < L::columns; c += L::box_width)
      this->into_box(sums + c / 2, shared.out[block][c / L::box_width]);
    fence_shared_writes();
    __syncwarp();
    if (has_bias) this->release(stage);
    if (lane == 0) shared.computed[block].arrive();
  }

  __device__ void run() {
    Base::run([this](const ProductItem&) { leave(); });
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
