// The thread that feeds attention's consumers on sm_90a.
#pragma once

#include "weft/attention/sm90/tiling.cuh"

namespace weft::kernels::sm90 {

/// What the copy engine must know of q, k and v: boxes of 64 columns, and of those that remain of the head
/// dimension.
struct BoxMaps {
  CUtensorMap full, rest;
};
struct Maps {
  BoxMaps q, k, v;
};

template <int HeadDim, int Tokens, class E>
BoxMaps box_maps(View<const E, 4> view, const char* name) {
  BoxMaps maps{};
  if constexpr (HeadDim >= box_columns) maps.full = box_map<Tokens, box_columns>(view, name);
  if constexpr (HeadDim % box_columns > 0) maps.rest = box_map<Tokens, HeadDim % box_columns>(view, name);
  return maps;
}

template <class E, int HeadDim, TilingName name>
struct Producer : Layout<E, HeadDim, name> {
  using L = Layout<E, HeadDim, name>;

  /// Fetches the rows of `to` from `row` on; `full` waits for all `Rows`, from whichever block of the cluster
  /// they come.
  template <int Cluster, int Rows>
  static __device__ void load(const BoxMaps& map, E (*to)[Rows][box_columns], int row, Barrier& full,
                              int token, Place at) {
    constexpr int full_boxes = HeadDim / box_columns;
    full.expect(Rows * HeadDim * sizeof(E));
#pragma unroll
    for (int c = 0; c < full_boxes; ++c) {
      copy_box<Cluster>(map.full, to[c][row], full, token, at.batch, at.head, c * box_columns);
    }
    if constexpr (HeadDim % box_columns > 0) {
      copy_box<Cluster>(map.rest, to[full_boxes][row], full, token, at.batch, at.head,
                        full_boxes * box_columns);
    }
  }

  /// Keys come from the last tile to the first, so that the consumers mask the first that they meet.
  static __device__ void run(const Maps& maps, typename L::Shared& s, const Problem<E>& problem) {
    const int row = L::sharing == 1 ? 0 : cluster_rank() * (L::keys / L::sharing);
    const auto [keys_begin, keys_end] = L::key_tiles(problem);
    Ring<L::stages> ring;
    std::uint32_t q_parity = 0;
    for (int tile = L::first_tile(); tile < problem.tiles; tile += L::tile_step(), q_parity ^= 1) {
      const Place at(problem, tile, L::rows);
      s.q_free.wait(q_parity ^ 1);
      load<1>(maps.q, s.q, 0, s.q_full, at.token, at);
#pragma unroll 1
      for (int j = keys_end - 1; j >= keys_begin; --j, ring.advance()) {
        const int token = j * L::keys + row;
        s.k_free[ring.stage].wait(ring.parity ^ 1);
        load<L::sharing>(maps.k, s.k[ring.stage], row, s.k_full[ring.stage], token, at);
        s.v_free[ring.stage].wait(ring.parity ^ 1);
        load<L::sharing>(maps.v, s.v[ring.stage], row, s.v_full[ring.stage], token, at);
      }
    }
  }
};

}  // namespace weft::kernels::sm90
