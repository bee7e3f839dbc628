// The tiles of attention's operands, as boxes that TMA loads.
#pragma once

#include <cuda.h>

#include "weft/core/view.hpp"
#include "weft/machine.hpp"
#include "weft/sm90/tma.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// The first token of a tile of queries, its image and its head.
struct Place {
  int token, batch, head;

  __device__ Place(const auto& problem, int tile, int rows)
      : token(tile % problem.row_tiles * rows),
        batch(tile / problem.row_tiles / problem.heads),
        head(tile / problem.row_tiles % problem.heads) {}
};

/// The tensor maps of an operand: for boxes of 128 bytes a row, and for the columns that remain.
struct TensorMaps {
  CUtensorMap full, rest;
};
struct Maps {
  TensorMaps q, k, v;
};

template <int Width, int Tokens, class T>
TensorMaps tensor_maps(View<const T, 4> view, const char* name) {
  constexpr int columns = swizzle_bytes / sizeof(T);
  TensorMaps maps{};
  if constexpr (Width >= columns) maps.full = tensor_map<Tokens, columns>(view, name);
  if constexpr (Width % columns > 0) maps.rest = tensor_map<Tokens, Width % columns>(view, name);
  return maps;
}

/// Issues this block's loads of a tile of `Rows` rows of `Width` numbers, from token `token` at `at` on, to
/// `to` from `row` on. `full` expects the bytes of all rows, whichever blocks of the cluster load them.
template <int Cluster, int Width, class T, int Rows, int Columns>
__device__ void load_rows(const TensorMaps& map, T (*to)[Rows][Columns], int row, Barrier& full, int token,
                          Place at) {
  constexpr int full_boxes = Width / Columns;
  full.expect(Rows * Width * sizeof(T));
#pragma unroll
  for (int c = 0; c < full_boxes; ++c) {
    load_box<Cluster>(map.full, to[c][row], full, token, at.batch, at.head, c * Columns);
  }
  if constexpr (Width % Columns > 0) {
    load_box<Cluster>(map.rest, to[full_boxes][row], full, token, at.batch, at.head, full_boxes * Columns);
  }
}

}  // namespace weft::inline v0_1::kernels::sm90
