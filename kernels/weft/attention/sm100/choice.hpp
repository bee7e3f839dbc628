// How attention on sm_100a is launched, as pure functions for the host.
#pragma once

#include <algorithm>

#include "weft/ceil_div.hpp"
#include "weft/core/range.hpp"
#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels::sm100 {

inline constexpr int halves = 2, half_rows = tensor_lanes;  // of a tile of queries
inline constexpr int query_tile = halves * half_rows, key_tile = 128;

/// Blocks that take tiles of queries in turn.
struct Plan {
  int row_tiles, tiles;  // of queries, of a head and of all heads
  int blocks;
};

/// Returns the plan for so many queries of `sequences` heads of all images.
constexpr Plan plan(Index queries, Index sequences, int multiprocessors) {
  const int row_tiles = static_cast<int>(ceil_div(queries, query_tile)),
            tiles = row_tiles * static_cast<int>(sequences);
  return {row_tiles, tiles, std::min(tiles, multiprocessors)};
}

}  // namespace weft::inline v0_1::kernels::sm100
