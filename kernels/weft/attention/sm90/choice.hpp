// How attention on sm_90a is cut into tiles, and which way a call of it takes: numbers alone, for the host.
#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"

namespace weft::kernels::sm90 {

enum class TilingName {
  wide,
  narrow,  // fewer keys a tile, for where that leaves less of the last one empty
  split,   // for queries that do not suffice for all multiprocessors
  tall,    // more queries a block: faster where there are so many that coarser tiles still spread evenly
};

/// The blocks of a cluster either fetch the same keys and values for each other, or take a part of the keys
/// each, for the same queries.
struct Tiling {
  int consumers;  // warpgroups, each with 64 queries
  int keys;       // a tile
  int stages;     // of the rings of keys and values
  int sharing;    // blocks that fetch keys and values for each other
  int parts;      // of the keys
  // What a query costs, in the time that one of the wide tiling takes for a key:
  double key_cost;    // for each key
  double start_cost;  // besides its keys

  constexpr int rows() const { return 64 * consumers; }
  constexpr int cluster() const { return sharing * parts; }
};

/// Found by measurement, see NOTES.md.
constexpr Tiling tiling_of(TilingName name, int head_dim) {
  const int keys = head_dim <= 96 ? 128 : 96;
  switch (name) {
    case TilingName::wide:
      break;
    case TilingName::narrow:
      return {.consumers = 2,
              .keys = keys - 16,
              .stages = 3,
              .sharing = 2,
              .parts = 1,
              .key_cost = 1.05,
              .start_cost = 300};
    case TilingName::split:
      return {.consumers = 2,
              .keys = keys,
              .stages = 3,
              .sharing = 1,
              .parts = 2,
              .key_cost = 1.2,
              .start_cost = 700};
    case TilingName::tall:
      return {.consumers = 3,
              .keys = 64,
              .stages = 3,
              .sharing = 2,
              .parts = 1,
              .key_cost = 0.945,
              .start_cost = 345};
  }
  return {
      .consumers = 2, .keys = keys, .stages = 3, .sharing = 2, .parts = 1, .key_cost = 1, .start_cost = 300};
}

/// Whether the registers suffice for it.
constexpr bool has_tiling(TilingName name, int head_dim) {
  return name != TilingName::tall || head_dim <= 88;
}

/// What decides how a call of attention is cut.
struct AttentionSize {
  Index queries, keys;
  Index sequences;  // heads of all prompts
  int head_dim;
};

/// How a call runs with a tiling: clusters of blocks that take their tiles of queries in turn.
struct Plan {
  TilingName tiling;
  int clusters;  // tiles of queries, a cluster's each
  int at_once;   // clusters that run at the same time
  double cost;   // of all rounds, in the unit of a tiling's costs and queries; infinite if it cannot run

  constexpr bool runs() const { return cost < std::numeric_limits<double>::infinity(); }
};

constexpr Plan plan(TilingName name, const AttentionSize& size, int multiprocessors) {
  const Tiling tiling = tiling_of(name, size.head_dim);
  const Index rows = tiling.rows() * tiling.sharing, tiles = (size.keys + tiling.keys - 1) / tiling.keys;
  const int clusters = static_cast<int>((size.queries + rows - 1) / rows * size.sequences),
            at_once = std::max(1, multiprocessors / tiling.cluster()),
            rounds = (clusters + at_once - 1) / at_once;
  Plan out{name, clusters, at_once, std::numeric_limits<double>::infinity()};
  const bool splits = tiling.parts > 1;  // then a cluster takes one tile of queries, and each block some keys
  if (!has_tiling(name, size.head_dim) || (splits && (rounds > 1 || tiles < tiling.parts))) return out;
  const double keys_each = static_cast<double>((tiles + tiling.parts - 1) / tiling.parts * tiling.keys);
  out.cost = rounds * tiling.rows() * (tiling.key_cost * keys_each + tiling.start_cost);
  return out;
}

/// With the tiling that costs least.
constexpr Plan choose(const AttentionSize& size, int multiprocessors) {
  Plan best = plan(TilingName::wide, size, multiprocessors);
  for (const TilingName name : {TilingName::narrow, TilingName::split, TilingName::tall}) {
    const Plan other = plan(name, size, multiprocessors);
    if (other.cost < best.cost) best = other;
  }
  return best;
}

constexpr const char* to_string(TilingName name) {
  constexpr const char* names[] = {"wide", "narrow", "split", "tall"};
  return names[static_cast<int>(name)];
}

inline std::string to_string(const Plan& plan) {
  if (!plan.runs()) return sentence(to_string(plan.tiling), ": does not run");
  return sentence(to_string(plan.tiling), ": ", plan.clusters, " clusters, ", plan.at_once, " at once");
}

}  // namespace weft::kernels::sm90
