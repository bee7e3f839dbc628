// The thread that feeds attention's consumers on sm_90a.
#pragma once

#include "weft/attention/sm90/tiling.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// The tensor maps of an operand: for boxes of 64 columns, and for the columns of the head dimension that
/// remain.
struct TensorMaps {
  CUtensorMap full, rest;
};
struct Maps {
  TensorMaps q, k, v;
};

template <int HeadDim, int Tokens, class E>
TensorMaps tensor_maps(View<const E, 4> view, const char* name) {
  TensorMaps maps{};
  if constexpr (HeadDim >= box_columns) maps.full = tensor_map<Tokens, box_columns>(view, name);
  if constexpr (HeadDim % box_columns > 0) maps.rest = tensor_map<Tokens, HeadDim % box_columns>(view, name);
  return maps;
}

template <class E, int HeadDim, TilingName name, bool masks>
struct Producer : Layout<E, HeadDim, name> {
  using L = Layout<E, HeadDim, name>;

  /// Loads this block's share of a tile of `Rows` rows, to `to` from `row` on. `full` expects the bytes of
  /// all rows, whichever blocks of the cluster load them.
  template <int Cluster, int Rows>
  static __device__ void load(const TensorMaps& map, E (*to)[Rows][box_columns], int row, Barrier& full,
                              int token, Place at) {
    constexpr int full_boxes = HeadDim / box_columns;
    full.expect(Rows * HeadDim * sizeof(E));
#pragma unroll
    for (int c = 0; c < full_boxes; ++c) {
      load_box<Cluster>(map.full, to[c][row], full, token, at.batch, at.head, c * box_columns);
    }
    if constexpr (HeadDim % box_columns > 0) {
      load_box<Cluster>(map.rest, to[full_boxes][row], full, token, at.batch, at.head,
                        full_boxes * box_columns);
    }
  }

  /// Loads tiles of keys from the last to the first, so that consumers mask only their first one.
  static __device__ void run(const Maps& maps, typename L::Shared& s, const Problem<E>& problem) {
    const int row = L::sharing == 1 ? 0 : cluster_rank() * (L::keys / L::sharing);
    const auto [keys_begin, keys_end] = L::key_tiles(problem);
    PipelineState<L::stages> state;
    std::uint32_t q_parity = 0;
    for (int tile = L::first_tile(); tile < problem.tiles; tile += L::tile_step()) {
      const Place at(problem, tile, L::rows);
      Place of_keys = at;
      of_keys.head /= problem.group;
      const TilesOfKeys<L::keys, masks> tiles(problem.mask, at.batch, problem.keys);
      if constexpr (masks) {
        if (tiles.empty()) continue;  // as the consumers
      }
      s.q_free.wait(q_parity ^ 1);
      load<1>(maps.q, s.q, 0, s.q_full, at.token, at);
      q_parity ^= 1;
#pragma unroll 1
      for (int j = masks ? tiles.last() : keys_end - 1; j >= keys_begin; j = tiles.next(j), state.advance()) {
        const int token = j * L::keys + row;
        s.k_free[state.stage].wait(state.parity ^ 1);
        load<L::sharing>(maps.k, s.k[state.stage], row, s.k_full[state.stage], token, of_keys);
        s.v_free[state.stage].wait(state.parity ^ 1);
        load<L::sharing>(maps.v, s.v[state.stage], row, s.v_full[state.stage], token, of_keys);
      }
    }
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
