// The tiles of matrix products on sm_90a whose outputs are heads, and where these go.
#pragma once

#include "weft/product/heads.cuh"
#include "weft/product/sm90/layout.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Where the heads of a product go, as the kernel sees it.
template <class E>
struct HeadTargets {
  static constexpr int most = most_head_destinations;

  CUtensorMap map[most];
  HeadBlock block[most];
  int change_of[most];
  E* first[most];  // of the block
  Index pitch[most];
  HeadChange change[most_head_changes];
  int count, images;

  /// Returns which change the heads of a column undergo; every column of the output is in a block.
  __device__ int change_at(int column) const {
    int i = 0;
    while (!block[i].has_column(column)) ++i;
    return change_of[i];
  }
};

/// The columns of a tile of heads: whole heads.
template <int HeadDim>
inline constexpr int head_tile_columns = HeadDim == 64 ? 256 : 2 * HeadDim;

/// Those of a box: 64 where they divide a head, and otherwise the tile's, since rows of one head of 88 or 72
/// features alone would begin and end in the middle of the 32 bytes that memory writes at once.
template <int HeadDim>
inline constexpr int head_box_columns = HeadDim % box_columns == 0 ? box_columns : head_tile_columns<HeadDim>;

/// The tiles of heads, of which a warp's rows have room in shared memory as a whole.
template <class Operand, class E, int HeadDim>
using HeadTiles = ProductLayout<Operand, E, head_tile_columns<HeadDim>, head_box_columns<HeadDim>,
                                head_tile_columns<HeadDim> / head_box_columns<HeadDim>,
                                head_tile_columns<HeadDim> == 256 ? 3 : 4>;

/// The layout of a product of heads. A tile that is computed is handed over to the warps beside the
/// producer's, the finishers, which change and store it while the consumers multiply the next.
template <class Operand, class E, int HeadDim>
struct HeadLayout : HeadTiles<Operand, E, HeadDim> {
  using Base = HeadTiles<Operand, E, HeadDim>;

  static constexpr int head_dim = HeadDim;
  static constexpr int producer_registers = 104, consumer_registers = 200;
  static_assert(Base::has_registers(producer_registers, consumer_registers));
  static constexpr int finishers = warpgroup_warps - 1;
  static constexpr int blocks = Base::consumers * warpgroup_warps;  // of a tile's rows: those of a warp

  struct Shared : Base::Shared {
    Barrier computed[blocks], taken[blocks];
  };
  static_assert(sizeof(Shared) <= shared_memory_bytes);

  static __device__ void init(Shared& s) {
    if (threadIdx.x == 0)
      for (int i = 0; i < blocks; ++i) {
        s.computed[i].init(1);
        s.taken[i].init(1);
      }
    Base::init(s);
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
