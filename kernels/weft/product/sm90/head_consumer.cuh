// The consumer warpgroup of a matrix product on sm_90a whose outputs are heads.
#pragma once

#include "weft/product/sm90/head_layout.cuh"
#include "weft/product/sm90/sums.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// A consumer warpgroup, which norms its rows of a tile and leaves them to the finishers, rounded.
template <class L>
struct HeadConsumer : ProductSums<L> {
  using Base = ProductSums<L>;
  using Base::consumer, Base::lane, Base::problem, Base::shared, Base::sums, Base::warp;

  static constexpr int head_dim = L::head_dim, octets = head_dim / 8, quad = 4;

  const HeadTargets<typename L::Element>& targets;
  std::uint32_t parity = 1;  // of the phase in which the finishers took the warp's last rows

  /// Norms a head of the thread's two rows: each is in the registers of four lanes.
  __device__ void norm(float* v, const HeadChange& change) const {
    constexpr float one_of_width = 1.0f / head_dim;
    float mean[2] = {}, factor[2] = {}, addend[2];
    if (change.centers) {
      Base::template for_each_pair<octets>(v, [&](int, int r, float& a, float& b) { mean[r] += a + b; });
      for (float& sum : mean) sum = sum_over_lanes<quad>(sum) * one_of_width;
    }
    Base::template for_each_pair<octets>(v, [&](int, int r, float& a, float& b) {
      const float x = a - mean[r], y = b - mean[r];
      factor[r] += x * x + y * y;
    });
    for (int r = 0; r < 2; ++r) {
      factor[r] = rsqrtf(sum_over_lanes<quad>(factor[r]) * one_of_width + change.epsilon);
      addend[r] = -mean[r] * factor[r];
    }
    const int column = lane % quad * 2;
#pragma unroll
    for (int j = 0; j < octets; ++j) {
      const auto vector = [column, j](const float* from, float other) {
        return from ? __ldg(reinterpret_cast<const float2*>(from + column + 8 * j)) : float2{other, other};
      };
      const float2 scale = vector(change.scale, 1), shift = vector(change.shift, 0);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        float& a = v[4 * j + 2 * r];
        float& b = v[4 * j + 2 * r + 1];
        a = (a * factor[r] + addend[r]) * scale.x + shift.x;
        b = (b * factor[r] + addend[r]) * scale.y + shift.y;
      }
    }
  }

  /// Norms the heads of a tile that begins at `column`.
  __device__ void norm_heads(int column) {
#pragma unroll
    for (int at = 0; at < L::columns; at += head_dim) {
      if (column + at >= problem.outputs) break;
      const HeadChange& change = targets.change[targets.change_at(column + at)];
      if (change.norms) norm(sums + at / 2, change);
    }
  }

  /// Leaves the tile's sums, each warp its rows.
  __device__ void leave(const ProductItem& tile) {
    this->template rescale<L::columns / 8>(sums);
    if (problem.has_vectors()) {
      const int stage = this->next_stage();
      this->template add_bias<L::columns / 8>(sums, shared.stage[stage].vectors, 0);
      this->release_read(stage);
    }
    norm_heads(tile.column);
    const int block = consumer * warpgroup_warps + warp;
    shared.taken[block].wait(parity);
    parity ^= 1;
#pragma unroll
    for (int c = 0; c < L::columns; c += L::box_width)
      this->into_box(sums + c / 2, shared.out[block][c / L::box_width]);
    fence_shared();
    __syncwarp();
    if (lane == 0) shared.computed[block].arrive();
  }

  __device__ void run() {
    Base::run([this](const ProductItem& tile) { leave(tile); });
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
