// The warps of a matrix product on sm_90a whose outputs are heads that rotate these, and store them where
// attention reads them.
#pragma once

#include "weft/heads.cuh"
#include "weft/product/sm90/head_layout.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// One of the finishers: they take the blocks of 16 rows that the consumers leave in turn.
template <class L>
struct HeadFinisher {
  using E = typename L::Element;
  static constexpr int head_dim = L::head_dim, heads = L::columns / head_dim, lanes = warp_size / heads;
  static constexpr int N = 8;  // features of a lane
  static_assert(lanes * N >= head_dim);

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
    return reinterpret_cast<uint4*>(box[row])[L::place(row, octet % in_box)];
  }

  /// The angles of a lane's features of a token.
  struct Turn {
    float cos[N], sin[N];

    __device__ void apply(float (&x)[N]) const {
#pragma unroll
      for (int i = 0; i < N; i += 2) {
        const float even = x[i], odd = x[i + 1];
        x[i] = cos[i] * even - sin[i] * odd;
        x[i + 1] = cos[i + 1] * odd + sin[i + 1] * even;
      }
    }
  };

  /// Reads the angles of rows in turn, each of an image of a token, from a row of the output on.
  struct TurnReader {
    const float *cos, *sin;
    Index cos_stride, sin_stride;
    int image, images, rows_left;

    __device__ TurnReader(const Angles& angles, int feature, int row, int row_count, int image_count)
        : cos_stride(angles.cos_stride),
          sin_stride(angles.sin_stride),
          image(row % image_count),
          images(image_count),
          rows_left(row_count - row) {
      const int token = min(row, row_count - 1) / images;
      cos = angles.cos + token * cos_stride + feature;
      sin = angles.sin + token * sin_stride + feature;
    }
    /// Reads those of the next row; beyond the last row those of the last.
    __device__ Turn read() {
      Turn turn;
      load(cos, turn.cos);
      load(sin, turn.sin);
      --rows_left;
      if (++image == images) {
        image = 0;
        if (rows_left > 0) {
          cos += cos_stride;
          sin += sin_stride;
        }
      }
      return turn;
    }
  };

  /// Rotates a block's heads, of a tile that begins at `column`. `first` is the row of the output with which
  /// the block begins. Angles are read some rows ahead.
  __device__ void rotate(int block, int first, int column) const {
    constexpr int ahead = 3;
    const int head = lane / lanes, feature = lane % lanes * N, at = column + head * head_dim;
    if (feature >= head_dim || at >= problem.outputs) return;
    const HeadChange& change = targets.change[targets.change_at(at)];
    if (!change.rotates) return;
    TurnReader reader(change.angles, feature, first, problem.inner, targets.images);
    Turn turns[ahead];
#pragma unroll
    for (Turn& turn : turns) turn = reader.read();
#pragma unroll
    for (int row = 0; row < warp_rows; ++row) {
      E* const features = reinterpret_cast<E*>(&octet(block, row, (head * head_dim + feature) / N));
      float x[N];
      load(features, x);
      turns[row % ahead].apply(x);
      weft::kernels::store(x, features);
      if (row + ahead < warp_rows) turns[row % ahead] = reader.read();
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
      rotate(block, first, tile.column);
      fence_shared();
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
