// A consumer warpgroup of a matrix product on sm_90a, but for how it ends a tile: it computes 64 rows in
// registers, and brings them to shared memory in boxes for TMA.
#pragma once

#include "weft/product/sm90/layout.cuh"
#include "weft/sm90/wgmma.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Stores four 8 × 8 matrices of 16-bit numbers to shared memory, as load_matrices<4> loads them.
__device__ inline void store_matrices(const std::uint32_t* from, std::uint32_t row) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%4], {%0, %1, %2, %3};" ::"r"(from[0]),
               "r"(from[1]), "r"(from[2]), "r"(from[3]), "r"(row)
               : "memory");
}

/// A consumer warpgroup, but for how it ends a tile.
template <class L>
struct ProductSums {
  using E = typename L::Element;
  using Word = typename Pair<E>::Type;

  typename L::Shared& shared;
  const ProductProblem<E>& problem;
  const int consumer;
  const int warp = threadIdx.x / warp_size % warpgroup_warps, lane = threadIdx.x % warp_size;
  PipelineState<L::stages> state{};
  float sums[L::columns / 2];  // (64, columns)

  __device__ void release(int stage) {
    if (lane < L::cluster) shared.free[stage].arrive_at(lane);
  }
  /// Releases a stage that the warp's threads have read on their own.
  __device__ void release_read(int stage) {
    fence_shared();
    __syncwarp();
    release(stage);
  }

  /// Computes the product over so many stages.
  __device__ void multiply(int count) {
    const auto& first = shared.stage[0].operands;
    const std::uint32_t a = descriptor_low(&first.x[wgmma_rows * consumer]),
                        b = descriptor_low(&first.weight);
    constexpr int steps = swizzle_bytes / wgmma_bytes;
    int before = 0;
    for (int k = 0; k < count; ++k) {
      shared.full[state.stage].wait(state.parity);
      const std::uint32_t from = state.stage * (sizeof(typename L::Stage) / descriptor_unit);
      wgmma_fence();
#pragma unroll
      for (int i = 0; i < steps; ++i)
        SharedProduct<L::columns>::template multiply<typename L::Operand>(
            sums, descriptor_at(a + from, i * wgmma_bytes), descriptor_at(b + from, i * wgmma_bytes),
            k > 0 || i > 0);
      wgmma_commit();
      if (k > 0) {
        wgmma_wait<1>();
        release(before);
      }
      before = state.stage;
      state.advance();
    }
    wgmma_wait<0>();
    settle(sums);
    release(before);
  }

  /// Returns where a further part of the item's tile leaves this thread's sums, one every warpgroup_size
  /// numbers.
  __device__ float* partial(const ProductItem& item, int part) const {
    const int which = (item.split * (problem.parts - 1) + part - 1) * L::cluster + cluster_rank();
    return problem.partial.sums +
           static_cast<Index>(which * L::consumers + consumer) * (L::columns / 2 * warpgroup_size) +
           threadIdx.x % warpgroup_size;
  }
  /// Returns the count of the parts that have left the sums of this warpgroup's rows.
  __device__ unsigned* count(const ProductItem& item) const {
    return problem.partial.counts + (item.split * L::cluster + cluster_rank()) * L::consumers + consumer;
  }

  __device__ void sync() const { named_wait(1 + consumer, warpgroup_size); }

  /// Leaves the sums to the block with the tile's first part.
  __device__ void hand_over(const ProductItem& item) {
    float* const to = partial(item, item.part);
#pragma unroll
    for (int i = 0; i < L::columns / 2; ++i) __stcg(to + i * warpgroup_size, sums[i]);
    __threadfence();
    sync();
    if (threadIdx.x % warpgroup_size == 0) atomicAdd(count(item), 1u);
  }

  /// Adds the sums of a tile's further parts, in their order.
  __device__ void join(const ProductItem& item) {
    if (threadIdx.x % warpgroup_size == 0) {
      unsigned* const arrived = count(item);
      while (atomicAdd(arrived, 0u) < static_cast<unsigned>(problem.parts - 1)) __nanosleep(100);
      *arrived = 0;
      __threadfence();
    }
    sync();
    for (int part = 1; part < problem.parts; ++part) {
      const float* const from = partial(item, part);
#pragma unroll
      for (int i = 0; i < L::columns / 2; ++i) sums[i] += __ldcg(from + i * warpgroup_size);
    }
  }

  /// Returns a stage that holds what ends a tile, and goes on to the next.
  __device__ int next_stage() {
    const int stage = state.stage;
    shared.full[stage].wait(state.parity);
    state.advance();
    return stage;
  }

  /// Calls act(octet, row, values of two columns) for so many octets of columns.
  template <int Octets, class Act>
  static __device__ void for_each_pair(float* v, const Act& act) {
#pragma unroll
    for (int j = 0; j < Octets; ++j)
#pragma unroll
      for (int r = 0; r < 2; ++r) act(j, r, v[4 * j + 2 * r], v[4 * j + 2 * r + 1]);
  }

  /// Multiplies by the scale, if there is one.
  template <int Octets>
  __device__ void rescale(float* v) const {
    if (!problem.finish.scale) return;
    const float scale = *problem.finish.scale;
    for_each_pair<Octets>(v, [&](int, int, float& a, float& b) { a *= scale, b *= scale; });
  }
  /// Adds the bias of the tile's columns from `column` on, if there is one.
  template <int Octets>
  __device__ void add_bias(float* v, const typename L::Vectors& vectors, int column) const {
    if (!problem.finish.bias) return;
    for_each_pair<Octets>(v, [&](int j, int, float& a, float& b) {
      const float2 bias =
          Pair<E>::widen(*reinterpret_cast<const Word*>(&vectors.bias[column + lane % 4 * 2 + 8 * j]));
      a += bias.x, b += bias.y;
    });
  }

  /// Returns where this thread's row of two octets begins in a box, for ldmatrix and stmatrix.
  __device__ std::uint32_t row_of(const void* box, int octet) const {
    const int row = lane % warp_rows;
    return shared_address(box) + row * L::box_bytes + L::place(row, octet + lane / warp_rows) * vector_bytes;
  }

  /// Rounds the warp's rows of a box into shared memory.
  __device__ void into_box(const float* v, const void* box) const {
#pragma unroll
    for (int j = 0; j < L::box_octets; j += 2) {
      Word words[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) words[i] = Pair<E>::narrow(v[4 * j + 2 * i], v[4 * j + 2 * i + 1]);
      store_matrices(reinterpret_cast<const std::uint32_t*>(words), row_of(box, j));
    }
  }

  /// Computes all items of the block, and ends tiles by write(tile).
  template <class Write>
  __device__ void run(const Write& write) {
    const int clusters = gridDim.x / L::cluster;
    for (int i = blockIdx.x / L::cluster; i < problem.items; i += clusters) {
      const ProductItem item(problem, i, L::rows, L::columns);
      multiply(item.end - item.begin);
      if (item.part > 0) {
        hand_over(item);
      } else {
        if (item.split >= 0) join(item);
        write(item);
      }
    }
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
