// The choice of a matrix product's tiles on sm_90a, by what they cost.
#pragma once

#include <algorithm>
#include <array>

#include "weft/core/range.hpp"

namespace weft::inline v0_1::kernels::sm90 {

inline constexpr int product_rows = 128;                     // of a block's tile
inline constexpr int product_cluster = 2;                    // blocks whose tiles lie one above the other
inline constexpr std::array product_columns{256, 192, 128};  // of a tile

constexpr int ceil_div(Index a, Index b) { return static_cast<int>((a + b - 1) / b); }

/// The extents of a product in tiles and in stages of the pipeline.
struct ProductSize {
  int row_tiles, outputs, stages;
};

/// Returns the columns of the tiles that take the least time on so many multiprocessors. Cycles of a stage
/// are those of the matrix units, with what was measured beyond them for narrower tiles, and those that end a
/// tile, on an H200.
inline int choose_columns(const ProductSize& size, int multiprocessors) {
  const auto cycles = [&](int columns) {
    const int tiles = ceil_div(size.row_tiles, product_cluster) * ceil_div(size.outputs, columns),
              rounds = ceil_div(tiles, std::max(multiprocessors / product_cluster, 1));
    const double stage = 4.0 * columns *
                         (columns == 256   ? 1
                          : columns == 192 ? 1.03
                                           : 1.08),
                 end = 600 + 18.0 * columns;
    return rounds * (size.stages * stage + end);
  };
  return *std::min_element(product_columns.begin(), product_columns.end(),
                           [&](int a, int b) { return cycles(a) < cycles(b); });
}

/// Returns how many rows of a tile lie side by side, the others below them, so that the fewest tiles cover
/// the rows (outer, inner).
inline int rows_side_by_side(int outer, int inner) {
  constexpr int fewest = 8;
  const auto tiles = [outer, inner](int side) {
    return ceil_div(inner, side) * ceil_div(outer, product_rows / side);
  };
  int best = product_rows;
  for (int side = product_rows; side >= fewest; side /= 2)
    if (tiles(side) < tiles(best)) best = side;
  return best;
}

}  // namespace weft::inline v0_1::kernels::sm90
