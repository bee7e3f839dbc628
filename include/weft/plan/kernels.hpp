// Predicts how long kernels take on a GPU from their extents.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "weft/plan/hardware.hpp"

namespace weft::inline v0_1::planner {

constexpr Index ceil_div(Index n, Index by) { return (n + by - 1) / by; }

namespace detail {

/// A multiprocessor's part of a product, and its rate relative to that of the largest one.
struct ProductTile {
  Index rows, columns;
  double efficiency;
};

constexpr std::array product_tiles{
    ProductTile{256, 128, 1},  ProductTile{128, 256, 1},    ProductTile{128, 192, 1},
    ProductTile{192, 128, 1},  ProductTile{128, 128, 0.95}, ProductTile{128, 96, 0.95},
    ProductTile{128, 64, 0.8}, ProductTile{64, 96, 0.85},   ProductTile{64, 64, 0.6},
    ProductTile{64, 48, 0.5},  ProductTile{128, 176, 0.95},
};

/// A block's queries in attention, and its rate relative to that of the largest one: 16384 queries over as
/// many keys took 4817 us in 32 rounds of 128, and 4550 in 21 of 192 (kernels/weft/NOTES.md).
struct AttentionTile {
  Index queries;
  double efficiency;
};

constexpr std::array attention_tiles{AttentionTile{128, 0.96}, AttentionTile{192, 1}};

constexpr double rows_rate(const Gpu& gpu) { return gpu.rows_rate > 0 ? gpu.rows_rate : gpu.memory_rate; }

}  // namespace detail

/// Returns the seconds of (m, k) × (k, n), in waves of the tile that suits it best. Prologue and epilogue of
/// a tile take as long as `fill` of its k.
constexpr double product_seconds(const Gpu& gpu, Index m, Index n, Index k, Index element_bytes) {
  if (m == 0) return 0;
  constexpr Index fill = 120;
  const double rate = gpu.matrix_rate / gpu.multiprocessors;
  double best = std::numeric_limits<double>::infinity();
  for (const detail::ProductTile& tile : detail::product_tiles) {
    const Index tiles = ceil_div(m, tile.rows) * ceil_div(n, tile.columns);
    const Index waves = ceil_div(tiles, gpu.multiprocessors);
    const double flop = 2.0 * static_cast<double>(tile.rows * tile.columns * (k + fill));
    best = std::min(best, static_cast<double>(waves) * flop / (rate * tile.efficiency));
  }
  const double bytes = static_cast<double>((m * k + k * n + m * n) * element_bytes);
  return gpu.launch + std::max(best, bytes / gpu.memory_rate);
}

/// Returns the seconds of attention of `queries` tokens over `keys`, for each of `heads` (of all images):
/// blocks process 128 keys at a time. The matrix units pad head_dim to a multiple of 8, and of 16 for the
/// logits.
constexpr double attention_seconds(const Gpu& gpu, Index queries, Index keys, Index heads, Index head_dim) {
  if (queries == 0 || heads == 0) return 0;
  constexpr double start = 3.3, ends = 1.4;  // overheads of a launch and of a block, in times of a tile
  const Index padded = ceil_div(head_dim, 16) * 8 + ceil_div(head_dim, 8) * 4;
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [rows, efficiency] : detail::attention_tiles) {
    const double tile = 4.0 * static_cast<double>(rows * 128 * padded) * gpu.multiprocessors /
                        (gpu.attention_rate * efficiency);
    const auto waves = static_cast<double>(ceil_div(ceil_div(queries, rows) * heads, gpu.multiprocessors));
    best = std::min(best, tile * (start + waves * (static_cast<double>(ceil_div(keys, 128)) + ends)));
  }
  return gpu.launch + best;
}

/// Returns the seconds by which attention takes longer where it merges its output, of so many bytes, into
/// that of other keys. Three passes over it are what Ring's steps at 2048 px take (tests/plan).
constexpr double merge_seconds(const Gpu& gpu, double bytes) { return 3 * bytes / detail::rows_rate(gpu); }

/// Returns the seconds of a norm or a rotation that reads and writes so many bytes.
constexpr double rows_seconds(const Gpu& gpu, double bytes) {
  return bytes > 0 ? gpu.launch + bytes / detail::rows_rate(gpu) : 0;
}

/// Returns whether heads of a layer leave for other GPUs during the layer itself: where it has tiles of whole
/// heads for two rounds (kernels/weft/head_product.cuh).
constexpr bool heads_leave_early(const Gpu& gpu, Index rows, Index heads, Index head_dim) {
  constexpr Index tile_rows = 256;  // of a cluster
  const Index heads_a_tile = head_dim == 64 ? 4 : 2;
  return ceil_div(rows, tile_rows) * ceil_div(heads, heads_a_tile) >= 2 * (gpu.multiprocessors / 2);
}

/// The share of the moves of heads that is left beside a layer during which they leave: 0.58 in the mean of
/// layers timed alone. In a step, which is at the power limit, a third of that gain came
/// (kernels/weft/NOTES.md).
inline constexpr double left_of_early_moves = 1 - (1 - 0.58) / 3;

/// Returns the seconds by which an activation or a residual in a product's epilogue prolongs it, for so many
/// numbers.
constexpr double epilogue_seconds(const Gpu& gpu, Index numbers) {
  return gpu.epilogue_rate > 0 ? static_cast<double>(numbers) / gpu.epilogue_rate : 0;
}

/// Returns the GPU with the rates that it sustains in a step.
constexpr Gpu under_load(Gpu gpu) {
  if (gpu.sustained_matrix_rate > 0) gpu.matrix_rate = gpu.sustained_matrix_rate;
  return gpu;
}

}  // namespace weft::inline v0_1::planner
