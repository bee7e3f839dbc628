// The warps of a matrix product on sm_90a whose outputs are heads that norm and rotate them, and store them
// where attention reads them.
#pragma once

#include "weft/heads.cuh"
#include "weft/product/sm90/head_layout.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// One of the finishers: they take the blocks of 16 rows that the consumers leave in turn.
template <class L>
struct HeadFinisher {
  using E = typename L::Element;
  static constexpr int head_dim = L::head_dim, heads = L::columns / head_dim, lanes = warp_size / heads;
  using Transform = HeadTransform<true, lanes>;
  static_assert(lanes * Transform::N >= head_dim);

  typename L::Shared& shared;
  const ProductProblem<E>& problem;
  const HeadTargets<E>& targets;
  const int warp;  // its number
  const int lane = threadIdx.x % warp_size;
  std::uint32_t parity = 0;

  /// Returns an octet of a row in a block of the tile.
  __device__ uint4& octet(int block, int row, int octet) const {
    constexpr int in_box = L::box_octets;
    auto& box = shared.out[block][octet / in_box];
    const int at = octet % in_box;
    return reinterpret_cast<uint4*>(box[row])[L::is_swizzled ? at ^ row % swizzle_rows : at];
  }

  /// Norms and rotates the heads of a block that undergo `which`, as `own` says this lane's does. `first` is
  /// the row of the output with which the block begins.
  __device__ void change(int block, int first, const HeadChange& which, bool own) const {
    constexpr int at_once = 2;
    const int column = lane % lanes * Transform::N, own_octet = lane / lanes * (head_dim / 8) + lane % lanes;
    for (int row = 0; row < warp_rows; row += at_once) {
      Packed<Transform::N, E> packed[at_once];
      float x[at_once][Transform::N];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const int token = min(first + row + i, problem.inner - 1) / targets.images;
        const Transform transform(which, head_dim, token, column);
        if (transform.active) packed[i].bits[0] = octet(block, row + i, own_octet);
        packed[i].widen(x[i]);
        transform.apply(x[i]);
        packed[i].narrow(x[i]);
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i)
        if (own && column < head_dim) octet(block, row + i, own_octet) = packed[i].bits[0];
    }
  }

  /// Norms and rotates a block's heads, of a tile that begins at `column`.
  __device__ void change_heads(int block, int first, int column) const {
    const auto change_of = [this, column](int head) {
      const int at = column + head * head_dim;
      return at < problem.outputs ? targets.change_at(at) : -1;
    };
    const int own = change_of(lane / lanes);
    for (int h = 0; h < heads; ++h) {
      const int which = change_of(h);
      bool is_done = which < 0;
      for (int before = 0; before < h; ++before) is_done = is_done || change_of(before) == which;
      if (is_done) continue;
      const HeadChange& one = targets.change[which];
      if (one.norms || one.rotates) change(block, first, one, own == which);
    }
  }

  /// Stores the part of a box that is in target `i`, where TMA cannot, since the box begins before it.
  __device__ void store_part(int block, int box, int row, int column, int i) const {
    const HeadBlock& target = targets.block[i];
    for (int at = lane; at < warp_rows * L::box_octets; at += warp_size) {
      const int r = at / L::box_octets, o = at % L::box_octets;
      if (!target.meets(row + r, 1, column + 8 * o, 1)) continue;
      E* const to = targets.first[i] + (row + r - target.first_row) * targets.pitch[i] +
                    (column + 8 * o - target.first_column);
      *reinterpret_cast<uint4*>(to) = octet(block, r, box * L::box_octets + o);
    }
  }

  /// Stores a box of a block, of the output's rows from `row` on and columns from `column` on.
  __device__ void store(int block, int box, int row, int column) const {
    for (int i = 0; i < targets.count; ++i) {
      const HeadBlock& target = targets.block[i];
      if (!target.meets(row, warp_rows, column, L::box_width)) continue;
      if (row < target.first_row || column < target.first_column) {
        store_part(block, box, row, column, i);
      } else if (lane == 0) {
        store_box(targets.map[i], shared.out[block][box], 0, row - target.first_row,
                  column - target.first_column);
      }
    }
  }

  /// Finishes the warp's blocks of a tile.
  __device__ void finish(const ProductItem& tile) {
    for (int block = warp; block < L::blocks; block += L::finishers) {
      const int first = tile.outer * problem.inner + tile.inner + block * warp_rows;
      shared.computed[block].wait(parity);
      change_heads(block, first, tile.column);
      fence_shared_writes();
      __syncwarp();
      for (int box = 0; box < L::buffers; ++box) store(block, box, first, tile.column + box * L::box_width);
      if (lane == 0) {
        commit_stores();
        await_store_reads<0>();
      }
      __syncwarp();
      if (lane == 0) shared.taken[block].arrive();
    }
    parity ^= 1;
  }

  __device__ void run() {
    const int clusters = gridDim.x / L::cluster;
    for (int i = blockIdx.x / L::cluster; i < problem.items; i += clusters)
      if (const ProductItem item(problem, i, L::rows, L::columns); item.part == 0) finish(item);
    if (lane == 0) await_stores();
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
