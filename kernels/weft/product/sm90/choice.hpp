// The choice of a matrix product's tiles on sm_90a, by what they cost.
#pragma once

#include <algorithm>
#include <array>

#include "weft/ceil_div.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1::kernels::sm90 {

inline constexpr int product_rows = 128;                     // of a block's tile
inline constexpr int product_cluster = 2;                    // blocks whose tiles lie one above the other
inline constexpr std::array product_columns{256, 192, 128};  // of a tile

/// The extents of a product in tiles and in stages of the pipeline.
struct ProductSize {
  int row_tiles, outputs, stages;
};

/// The tiles of a product, one a cluster and round. Those of the last round, where they are few, are each
/// computed by several clusters, a part of the depth each.
struct ProductPlan {
  int columns;      // of a tile
  int clusters;     // that run at the same time
  int whole_tiles;  // of the rounds before the last, or all
  int last_tiles, parts;
  double cycles;

  constexpr int items() const { return whole_tiles + last_tiles * parts; }
};

/// Returns the plan with tiles of so many columns, on so many multiprocessors. Cycles of a stage are those of
/// the matrix units, with what was measured beyond them for narrower tiles, and those that end a tile, on an
/// H200.
inline ProductPlan plan_product(const ProductSize& size, int multiprocessors, int columns) {
  constexpr int fewest_stages = 8, most_parts = 4;  // of a part, of a tile
  const double stage = 4.0 * columns *
                       (columns == 256   ? 1
                        : columns == 192 ? 1.03
                                         : 1.08),
               end = 600 + 18.0 * columns, join = 4000;
  const int tiles = ceil_div(size.row_tiles, product_cluster) * ceil_div(size.outputs, columns),
            most = std::max(multiprocessors / product_cluster, 1), rounds = tiles / most,
            last_tiles = tiles % most;
  const double round = size.stages * stage + end;
  ProductPlan out{columns, std::min(tiles, most), tiles, 0, 1, ceil_div(tiles, most) * round};
  if (last_tiles == 0) return out;
  const int parts = std::min({most / last_tiles, most_parts, size.stages / fewest_stages});
  if (parts < 2) return out;
  const double cycles = rounds * round + ceil_div(size.stages, parts) * stage + end + join;
  if (cycles >= out.cycles) return out;
  return {columns, std::min(rounds * most + last_tiles * parts, most), rounds * most, last_tiles, parts,
          cycles};
}

/// Returns the plan that takes the least time.
inline ProductPlan choose_product(const ProductSize& size, int multiprocessors) {
  ProductPlan best = plan_product(size, multiprocessors, product_columns[0]);
  for (const int columns : product_columns) {
    const ProductPlan other = plan_product(size, multiprocessors, columns);
    if (other.cycles < best.cycles) best = other;
  }
  return best;
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
