// The consumer warpgroup of a matrix product on sm_90a, which computes and finishes 64 rows of a tile.
#pragma once

#include "weft/product/sm90/sums.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// A consumer warpgroup.
template <class L>
struct ProductConsumer : ProductSums<L> {
  using Base = ProductSums<L>;
  using Base::consumer, Base::lane, Base::problem, Base::shared, Base::state, Base::sums, Base::warp;
  using typename Base::E;
  using typename Base::Word;

  static constexpr int octets = L::box_octets;  // of a chunk

  const CUtensorMap& out;
  int buffer = 0;  // for the next chunk

  static __device__ float gelu(float x) {
    float tanh;
    asm("tanh.approx.f32 %0, %1;" : "=f"(tanh) : "f"(x * (0.7978845608f + 0.0356774081f * x * x)));
    return 0.5f * x + 0.5f * x * tanh;
  }

  /// Finishes a chunk but for the residual. `images` are those of the thread's rows.
  __device__ void finish(float* v, const typename L::Vectors& vectors, const int (&images)[2], int c) const {
    const Finish<E>& f = problem.finish;
    this->template rescale<octets>(v);
    this->template add_bias<octets>(v, vectors, c * box_columns);
    if (f.activation == Activation::gelu_tanh)
      Base::template for_each_pair<octets>(v, [](int, int, float& a, float& b) { a = gelu(a), b = gelu(b); });
    if (f.gate.data) {
      const int column = c * box_columns + lane % 4 * 2;
      Base::template for_each_pair<octets>(v, [&](int j, int r, float& a, float& b) {
        const float2 gate = *reinterpret_cast<const float2*>(&vectors.gates[images[r]][column + 8 * j]);
        a *= gate.x, b *= gate.y;
      });
    }
  }

  __device__ void add_residual(float* v, int c) {
    if (c % L::stage_chunks == 0) shared.full[state.stage].wait(state.parity);
    const E* const rows = shared.stage[state.stage].residual[c % L::stage_chunks][consumer][warp * warp_rows];
#pragma unroll
    for (int j = 0; j < octets; j += 2) {
      std::uint32_t words[4];
      load_matrices<4>(words, this->row_of(rows, j));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 added = Pair<E>::widen(reinterpret_cast<const Word&>(words[i]));
        v[4 * j + 2 * i] += added.x, v[4 * j + 2 * i + 1] += added.y;
      }
    }
    if (c % L::stage_chunks == L::stage_chunks - 1 || c == L::chunks - 1) {
      this->release_read(state.stage);
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
    const int vectors_stage = has_vectors ? this->next_stage() : 0;
#pragma unroll
    for (int c = 0; c < L::chunks; ++c) {
      const int column = tile.column + c * box_columns;
      float* const v = sums + c * 4 * octets;
      finish(v, shared.stage[vectors_stage].vectors, images, c);
      if (problem.finish.residual.data) add_residual(v, c);
      const auto& box = shared.out[consumer * warpgroup_warps + warp][buffer];
      buffer = (buffer + 1) % L::buffers;
      if (lane == 0) await_store_reads<L::buffers - 1>();  // every chunk is a group
      __syncwarp();
      this->into_box(v, box);
      fence_shared();
      __syncwarp();
      if (lane == 0) {
        if (column < problem.outputs)
          store_box(out, box, tile.outer + first / problem.box_inner, tile.inner + first % problem.box_inner,
                    column);
        commit_stores();
      }
    }
    if (has_vectors) this->release_read(vectors_stage);
  }

  __device__ void run() {
    Base::run([this](const ProductItem& tile) { write(tile); });
    if (lane == 0) await_stores();
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
