// The consumer warpgroup of a matrix product on sm_90a, which computes and finishes 64 rows of a tile.
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

/// A consumer warpgroup.
template <class Operand, class E, int Columns>
struct ProductConsumer {
  using L = ProductLayout<Operand, E, Columns>;
  using Word = typename Pair<E>::Type;

  typename L::Shared& shared;
  const ProductMaps& maps;
  const ProductProblem<E>& problem;
  const int consumer;
  const int warp = threadIdx.x / warp_size % warpgroup_warps, lane = threadIdx.x % warp_size;
  PipelineState<L::stages> state{};
  int buffer = 0;           // of the output, for the next chunk
  float sums[Columns / 2];  // (64, Columns)

  __device__ void release(int stage) {
    if (lane < L::cluster) shared.free[stage].arrive_at(lane);
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
        SharedProduct<Columns>::template multiply<Operand>(sums, descriptor_at(a + from, i * wgmma_bytes),
                                                           descriptor_at(b + from, i * wgmma_bytes),
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
           static_cast<Index>(which * L::consumers + consumer) * (Columns / 2 * warpgroup_size) +
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
    for (int i = 0; i < Columns / 2; ++i) __stcg(to + i * warpgroup_size, sums[i]);
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
      for (int i = 0; i < Columns / 2; ++i) sums[i] += __ldcg(from + i * warpgroup_size);
    }
  }

  static constexpr int octets = box_columns / 8;  // of a chunk

  static __device__ float gelu(float x) {
    float tanh;
    asm("tanh.approx.f32 %0, %1;" : "=f"(tanh) : "f"(x * (0.7978845608f + 0.0356774081f * x * x)));
    return 0.5f * x + 0.5f * x * tanh;
  }

  /// Calls act(octet, row, values of two columns) for a chunk.
  template <class Act>
  static __device__ void for_each_pair(float* v, const Act& act) {
#pragma unroll
    for (int j = 0; j < octets; ++j)
#pragma unroll
      for (int r = 0; r < 2; ++r) act(j, r, v[4 * j + 2 * r], v[4 * j + 2 * r + 1]);
  }

  /// Finishes a chunk but for the residual. `images` are those of the thread's rows.
  __device__ void finish(float* v, const typename L::Vectors& vectors, const int (&images)[2], int c) const {
    const Finish<E>& f = problem.finish;
    const int column = c * box_columns + lane % 4 * 2;
    if (f.scale) {
      const float scale = *f.scale;
      for_each_pair(v, [&](int, int, float& a, float& b) { a *= scale, b *= scale; });
    }
    if (f.bias)
      for_each_pair(v, [&](int j, int, float& a, float& b) {
        const float2 bias = Pair<E>::widen(*reinterpret_cast<const Word*>(&vectors.bias[column + 8 * j]));
        a += bias.x, b += bias.y;
      });
    if (f.activation == Activation::gelu_tanh)
      for_each_pair(v, [](int, int, float& a, float& b) { a = gelu(a), b = gelu(b); });
    if (f.gate.data)
      for_each_pair(v, [&](int j, int r, float& a, float& b) {
        const float2 gate = *reinterpret_cast<const float2*>(&vectors.gates[images[r]][column + 8 * j]);
        a *= gate.x, b *= gate.y;
      });
  }

  /// Returns where this thread's row of two octets begins among the warp's rows of a chunk, for ldmatrix and
  /// stmatrix.
  __device__ std::uint32_t row_of(const void* rows, int octet) const {
    const int row = lane % warp_rows, at = (octet + lane / warp_rows) ^ (row % swizzle_rows);
    return shared_address(rows) + row * swizzle_bytes + at * vector_bytes;
  }

  __device__ void add_residual(float* v, int c) {
    if (c % L::stage_chunks == 0) shared.full[state.stage].wait(state.parity);
    const E* const rows = shared.stage[state.stage].residual[c % L::stage_chunks][consumer][warp * warp_rows];
#pragma unroll
    for (int j = 0; j < octets; j += 2) {
      std::uint32_t words[4];
      load_matrices<4>(words, row_of(rows, j));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 added = Pair<E>::widen(reinterpret_cast<const Word&>(words[i]));
        v[4 * j + 2 * i] += added.x, v[4 * j + 2 * i + 1] += added.y;
      }
    }
    if (c % L::stage_chunks == L::stage_chunks - 1 || c == L::chunks - 1) {
      __syncwarp();
      release(state.stage);
      state.advance();
    }
  }

  /// Finishes and writes the product of a tile, each warp its rows.
  __device__ void write(const ProductItem& tile) {
    const int first = wgmma_rows * consumer + warp * warp_rows;
    int images[2] = {};
    if (problem.finish.gate.data)
      for (int r = 0; r < 2; ++r)
        images[r] = (tile.inner + (first + lane / 4 + 8 * r) % problem.box_inner) %
                    static_cast<int>(problem.finish.gate.images);
    const bool has_vectors = problem.has_vectors();
    const int vectors_stage = state.stage;
    if (has_vectors) {
      shared.full[state.stage].wait(state.parity);
      state.advance();
    }
#pragma unroll
    for (int c = 0; c < L::chunks; ++c) {
      const int column = tile.column + c * box_columns;
      float* const v = sums + c * 4 * octets;
      finish(v, shared.stage[vectors_stage].vectors, images, c);
      if (problem.finish.residual.data) add_residual(v, c);
      auto& out = shared.out[consumer * warpgroup_warps + warp][buffer];
      buffer ^= 1;
      if (lane == 0) await_store_reads<1>();  // every chunk is a group
      __syncwarp();
#pragma unroll
      for (int j = 0; j < octets; j += 2) {
        Word words[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) words[i] = Pair<E>::narrow(v[4 * j + 2 * i], v[4 * j + 2 * i + 1]);
        store_matrices(reinterpret_cast<const std::uint32_t*>(words), row_of(out, j));
      }
      fence_shared_writes();
      __syncwarp();
      if (lane == 0) {
        if (column < problem.outputs)
          store_box(maps.out, &out, tile.outer + first / problem.box_inner,
                    tile.inner + first % problem.box_inner, column);
        commit_stores();
      }
    }
    if (has_vectors) release(vectors_stage);
  }

  __device__ void run() {
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
    if (lane == 0) await_stores();
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
