// The consumer warpgroup of a matrix product on sm_90a whose outputs are heads: it norms and rotates them, and
// stores them where attention reads them.
#pragma once

#include "weft/product/heads.cuh"
#include "weft/product/sm90/sums.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Where the heads of a product go, as the kernel sees it.
template <class E>
struct HeadTargets {
  static constexpr int most = most_head_destinations;

  CUtensorMap map[most];
  HeadBlock block[most];
  HeadChange change[most];
  E* first[most];  // of the block
  Index pitch[most];
  int count, images;
};

/// The columns of a tile of heads: whole heads.
template <int HeadDim>
inline constexpr int head_tile_columns = HeadDim == 64 ? 256 : 2 * HeadDim;

/// The tiles of a product of heads, which are written in boxes of 64 columns where those divide a head, and
/// otherwise as they are: rows of one head of 88 or 72 features alone would begin and end in the middle of
/// the 32 bytes that memory writes at once.
template <class Operand, class E, int HeadDim>
struct HeadLayout : ProductLayout<Operand, E, head_tile_columns<HeadDim>,
                                  HeadDim % box_columns == 0 ? box_columns : head_tile_columns<HeadDim>> {
  static constexpr int head_dim = HeadDim;
};

__device__ inline uint4 load_shared(std::uint32_t address) {
  uint4 out;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(out.x), "=r"(out.y), "=r"(out.z), "=r"(out.w)
               : "r"(address)
               : "memory");
  return out;
}

/// A consumer warpgroup.
template <class L>
struct HeadConsumer : ProductSums<L> {
  using Base = ProductSums<L>;
  using Base::consumer, Base::lane, Base::problem, Base::shared, Base::sums, Base::warp;

  static constexpr int head_dim = L::head_dim, octets = head_dim / 8, quad = 4;

  const HeadTargets<typename L::Element>& targets;

  /// Norms a head of the thread's two rows: each is in the registers of four lanes.
  __device__ void norm(float* v, const HeadChange& change) const {
    constexpr float one_of_width = 1.0f / head_dim;
    float sum[2] = {}, squares[2] = {};
    if (change.centers) {
      Base::template for_each_pair<octets>(v, [&](int, int r, float& a, float& b) { sum[r] += a + b; });
      for (float& mean : sum) mean = sum_over_lanes<quad>(mean) * one_of_width;
    }
    Base::template for_each_pair<octets>(v, [&](int, int r, float& a, float& b) {
      a -= sum[r], b -= sum[r];
      squares[r] += a * a + b * b;
    });
    float inverse[2];
    for (int r = 0; r < 2; ++r)
      inverse[r] = rsqrtf(sum_over_lanes<quad>(squares[r]) * one_of_width + change.epsilon);
    const int column = lane % quad * 2;
    Base::template for_each_pair<octets>(v, [&](int j, int r, float& a, float& b) {
      const float2 scale =
          change.scale ? __ldg(reinterpret_cast<const float2*>(change.scale + column + 8 * j)) : float2{1, 1};
      a *= inverse[r] * scale.x, b *= inverse[r] * scale.y;
    });
    if (change.shift)
      Base::template for_each_pair<octets>(v, [&](int j, int, float& a, float& b) {
        const float2 shift = __ldg(reinterpret_cast<const float2*>(change.shift + column + 8 * j));
        a += shift.x, b += shift.y;
      });
  }

  /// Rotates so many heads of the thread's rows, of these tokens: all by the same angles, which are loaded
  /// once.
  template <int Heads>
  __device__ void rotate(float* v, const Angles& angles, const int (&tokens)[2]) const {
    const int column = lane % quad * 2;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float* const cos_of = angles.cos + tokens[r] * angles.cos_stride + column;
      const float* const sin_of = angles.sin + tokens[r] * angles.sin_stride + column;
#pragma unroll
      for (int j = 0; j < octets; ++j) {
        const float2 cos = __ldg(reinterpret_cast<const float2*>(cos_of + 8 * j)),
                     sin = __ldg(reinterpret_cast<const float2*>(sin_of + 8 * j));
#pragma unroll
        for (int h = 0; h < Heads; ++h) {
          float& even = v[h * head_dim / 2 + 4 * j + 2 * r];
          float& odd = (&even)[1];
          const float before = even;
          even = cos.x * even - sin.x * odd;
          odd = cos.y * odd + sin.y * before;
        }
      }
    }
  }

  /// Stores the part of a box that is in block `i`, where TMA cannot, since the box begins before it.
  __device__ void store_part(const void* box, int row, int column, int i) const {
    const HeadBlock& block = targets.block[i];
    for (int at = lane; at < warp_rows * L::box_octets; at += warp_size) {
      const int r = at / L::box_octets, octet = at % L::box_octets;
      if (!block.meets(row + r, 1, column + 8 * octet, 1)) continue;
      typename L::Element* const to = targets.first[i] + (row + r - block.first_row) * targets.pitch[i] +
                                      (column + 8 * octet - block.first_column);
      *reinterpret_cast<uint4*>(to) = load_shared(Base::octet_at(box, r, octet));
    }
  }

  /// Stores a box of the tile, of the warp's rows from `row` on and of columns from `column` on.
  __device__ void store(const void* box, int row, int column) const {
    for (int i = 0; i < targets.count; ++i) {
      const HeadBlock& block = targets.block[i];
      if (!block.meets(row, warp_rows, column, L::box_width)) continue;
      if (row < block.first_row || column < block.first_column) {
        store_part(box, row, column, i);
      } else if (lane == 0) {
        store_box(targets.map[i], box, 0, row - block.first_row, column - block.first_column);
      }
    }
    if (lane == 0) commit_stores();
  }

  /// Returns a block that has the column, which some block has.
  __device__ int block_of(int column) const {
    int i = 0;
    while (!targets.block[i].has_column(column)) ++i;
    return i;
  }

  /// Norms and rotates the heads of a tile, from `column` on, of these tokens.
  __device__ void change(int column, const int (&tokens)[2]) {
    constexpr int heads = L::columns / head_dim;
    const HeadChange* changes[heads];
    bool are_alike = column + L::columns <= problem.outputs;
#pragma unroll
    for (int h = 0; h < heads; ++h) {
      changes[h] = &targets.change[block_of(min(column + h * head_dim, problem.outputs - 1))];
      if (changes[h]->norms) norm(sums + h * head_dim / 2, *changes[h]);
      are_alike = are_alike && changes[h]->angles == changes[0]->angles;
    }
    if (are_alike) {
      if (changes[0]->rotates) rotate<heads>(sums, changes[0]->angles, tokens);
    } else {
#pragma unroll
      for (int h = 0; h < heads; ++h)
        if (changes[h]->rotates) rotate<1>(sums + h * head_dim / 2, changes[h]->angles, tokens);
    }
  }

  /// Changes and stores the heads of a tile, each warp its rows.
  __device__ void write(const ProductItem& tile) {
    const int first =
        tile.outer * problem.inner + tile.inner + wgmma_rows * consumer + warp * warp_rows;
    int tokens[2];  // of the thread's rows, or of the last
    for (int r = 0; r < 2; ++r)
      tokens[r] = min(first + lane / quad + 8 * r, problem.inner - 1) / targets.images;
    const bool has_bias = problem.has_vectors();
    const int stage = has_bias ? this->next_stage() : 0;
    this->template add_bias<L::columns / 8>(sums, shared.stage[stage].vectors, 0);
    __syncwarp();
    if (has_bias) this->release(stage);
    change(tile.column, tokens);
#pragma unroll
    for (int c = 0; c < L::columns; c += L::box_width) {
      const void* const box = this->into_box(sums + c / 2);
      store(box, first, tile.column + c);
    }
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
