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
  Index widest;  // features of a head for which it has registers
};

constexpr std::array attention_tiles{AttentionTile{128, 0.96, 256}, AttentionTile{192, 1, 88}};

/// Returns what the matrix units multiply of a head: they pad it to a multiple of 8, and of 16 for the
/// logits.
constexpr double padded_features(Index head_dim) {
  return static_cast<double>(ceil_div(head_dim, 16) * 8 + ceil_div(head_dim, 8) * 4);
}

constexpr double rows_rate(const Gpu& gpu) { return gpu.rows_rate > 0 ? gpu.rows_rate : gpu.memory_rate; }

/// Returns the seconds of (m, k) × (k, n), in waves of the tile that suits it best. Prologue and epilogue of
/// a tile take as long as `fill` of its k.
constexpr double product_seconds(const Gpu& gpu, Index m, Index n, Index k, Index element_bytes, Index fill) {
  if (m == 0) return 0;
  const double rate = gpu.matrix_rate / gpu.multiprocessors;
  double best = std::numeric_limits<double>::infinity();
  for (const ProductTile& tile : product_tiles) {
    const Index tiles = ceil_div(m, tile.rows) * ceil_div(n, tile.columns);
    const Index waves = ceil_div(tiles, gpu.multiprocessors);
    const double flop = 2.0 * static_cast<double>(tile.rows * tile.columns * (k + fill));
    best = std::min(best, static_cast<double>(waves) * flop / (rate * tile.efficiency));
  }
  const double bytes = static_cast<double>((m * k + k * n + m * n) * element_bytes);
  return gpu.launch + std::max(best, bytes / gpu.memory_rate);
}

}  // namespace detail

/// Returns the seconds of (m, k) × (k, n) alone.
constexpr double product_seconds(const Gpu& gpu, Index m, Index n, Index k, Index element_bytes) {
  return detail::product_seconds(gpu, m, n, k, element_bytes, 120);
}

/// Returns its seconds in a step. At the power limit a tile's prologue and epilogue, which take little power,
/// cost nothing: clocks rise with what they leave.
constexpr double product_seconds_in_step(Gpu gpu, Index m, Index n, Index k, Index element_bytes) {
  if (gpu.sustained_matrix_rate == 0) return product_seconds(gpu, m, n, k, element_bytes);
  gpu.matrix_rate = gpu.sustained_matrix_rate;
  return detail::product_seconds(gpu, m, n, k, element_bytes, 0);
}

/// Returns the seconds of attention of `queries` tokens over `keys`, for each of `heads` (of all images):
/// blocks process 128 keys at a time. A last round that leaves half of the multiprocessors idle may split the
/// keys of each of its tiles over two blocks, in a launch of its own
/// (kernels/weft/attention/sm90/choice.hpp).
constexpr double attention_seconds(const Gpu& gpu, Index queries, Index keys, Index heads, Index head_dim) {
  if (queries == 0 || heads == 0) return 0;
  // Overheads of a launch, of a block, of one that splits keys, and of a further launch, in times of a tile.
  constexpr double start = 3.3, ends = 1.4, split_ends = ends + 3.1, relaunch = 2.3;
  const double padded = gpu.softmax_share * detail::padded_features(88) +
                        (1 - gpu.softmax_share) * detail::padded_features(head_dim);
  const auto key_tiles = static_cast<double>(ceil_div(keys, 128));
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [rows, efficiency, widest] : detail::attention_tiles) {
    if (head_dim > widest) continue;
    const double tile = 4.0 * static_cast<double>(rows * 128) * padded * gpu.multiprocessors /
                        (gpu.attention_rate * efficiency);
    const Index tiles = ceil_div(queries, rows) * heads, full = tiles / gpu.multiprocessors,
                rest = tiles % gpu.multiprocessors;
    const double round = key_tiles + ends;
    double last = rest > 0 ? round : 0;
    if (gpu.split_key_cost > 0 && 2 * rest <= gpu.multiprocessors)
      last = std::min(last, gpu.split_key_cost * key_tiles / 2 + split_ends + (full > 0 ? relaunch : 0));
    best = std::min(best, tile * (start + static_cast<double>(full) * round + last));
  }
  return gpu.launch + best;
}

/// Returns the share of the stores of heads into other GPUs' memory that their layer of m rows and n outputs
/// hides: none unless its tiles are enough for two rounds (kernels/weft/head_product.cuh), and never those of
/// the last round.
constexpr double stored_early(const Gpu& gpu, Index m, Index n, Index head_dim) {
  constexpr Index rows = 2 * 128;  // of two blocks, which share weights
  const Index columns = head_dim == 64 ? 256 : 2 * head_dim,
              tiles = 2 * ceil_div(m, rows) * ceil_div(n, columns);
  if (tiles < 2 * gpu.multiprocessors) return 0;
  return gpu.stored_early * (1 - static_cast<double>(gpu.multiprocessors) / static_cast<double>(tiles));
}

/// Returns the seconds by which attention takes longer where it merges its output, of so many bytes, into
/// that of other keys. Three passes over it are what Ring's steps at 2048 px take (tests/plan).
constexpr double merge_seconds(const Gpu& gpu, double bytes) { return 3 * bytes / detail::rows_rate(gpu); }

/// Returns the seconds of a norm or a rotation that reads and writes so many bytes.
constexpr double rows_seconds(const Gpu& gpu, double bytes) {
  return bytes > 0 ? gpu.launch + bytes / detail::rows_rate(gpu) : 0;
}

/// Returns the seconds by which an activation or a residual in a product's epilogue prolongs it, for so many
/// numbers.
constexpr double epilogue_seconds(const Gpu& gpu, Index numbers) {
  return gpu.epilogue_rate > 0 ? static_cast<double>(numbers) / gpu.epilogue_rate : 0;
}

}  // namespace weft::inline v0_1::planner
