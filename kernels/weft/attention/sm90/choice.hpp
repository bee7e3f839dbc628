// The tilings of attention on sm_90a, and the choice among them, as pure functions for the host.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels::sm90 {

enum class TilingName {
  wide,
  narrow,    // fewer keys a tile, for where the last tile is then fuller
  tall,      // more queries a tile, for where they are many enough to spread evenly all the same
  resident,  // all keys stay in shared memory, for where they are few
};

/// The blocks of a cluster take a tile of queries each, and multicast keys and values to each other. In a
/// last round that would leave half of them idle they take half of the keys each, for one tile. Or a block
/// loads all keys and values of a head once, and its consumers each take tiles of their own.
struct Tiling {
  int consumers;  // warpgroups, each with wgmma_rows queries
  int keys;       // a tile
  int stages;     // of the pipelines of keys and values
  int sharing;    // blocks of a cluster, which multicast keys and values to each other
  bool resident;  // whether the stages hold all keys
  // The cost of a query, where one key costs a query of the wide tiling 1:
  double key_cost;    // for each key
  double start_cost;  // besides its keys

  constexpr int rows() const { return resident ? wgmma_rows : wgmma_rows * consumers; }
  constexpr bool halves_keys() const { return sharing == 2; }
};

// What a key and a tile of queries cost more where the blocks of a cluster have half of the keys each.
inline constexpr double halved_key_cost = 1.2, halved_start_cost = 400;

/// Returns the numbers of a tiling; NOTES.md has the measurements.
constexpr Tiling tiling_of(TilingName name, int head_dim) {
  const int keys = head_dim <= 96 ? 128 : 96;
  switch (name) {
    case TilingName::wide:
      break;
    case TilingName::narrow:
      return {.consumers = 2,
              .keys = keys - wgmma_depth,
              .stages = 3,
              .sharing = 2,
              .resident = false,
              .key_cost = 1.05,
              .start_cost = 300};
    case TilingName::tall:
      return {.consumers = 3,
              .keys = 64,
              .stages = 3,
              .sharing = 2,
              .resident = false,
              .key_cost = 0.945,
              .start_cost = 345};
    case TilingName::resident:
      return {.consumers = 3,
              .keys = 48,
              .stages = 7,
              .sharing = 1,
              .resident = true,
              .key_cost = 0.89,
              .start_cost = 232};
  }
  return {.consumers = 2,
          .keys = keys,
          .stages = 3,
          .sharing = 2,
          .resident = false,
          .key_cost = 1,
          .start_cost = 300};
}

/// Returns whether registers and shared memory suffice for a tiling.
constexpr bool has_tiling(TilingName name, int head_dim) {
  return name == TilingName::tall ? head_dim <= 88 : name != TilingName::resident || head_dim <= 96;
}

/// The size of a call of attention, on which the choice depends.
struct AttentionSize {
  Index queries, keys;
  Index sequences;  // heads of all images
  int head_dim;
};

/// A call with a tiling: clusters of blocks that take tiles of queries in turn, or, of resident keys, the
/// tiles of a share of a head's queries.
struct Plan {
  TilingName tiling;
  int clusters;  // tiles of queries of a cluster, or shares of them
  int halved;    // tiles of queries of a block, after those: each of a cluster, with the keys in halves
  int at_once;   // clusters that run at the same time
  double cost;   // of all rounds, in queries times the costs of a Tiling; infinite if it cannot run

  /// Returns how many clusters the grid has.
  constexpr int launched() const { return std::min(clusters + halved, at_once); }
  constexpr bool runs() const { return cost < std::numeric_limits<double>::infinity(); }
};

/// Returns the plan with resident keys, of infinite cost if they do not fit.
constexpr Plan resident_plan(const AttentionSize& size, int multiprocessors) {
  const Tiling tiling = tiling_of(TilingName::resident, size.head_dim);
  const Index tiles = (size.queries + tiling.rows() - 1) / tiling.rows(),
              shares = std::clamp(multiprocessors / size.sequences, Index{1}, tiles),
              rounds = (size.sequences * shares + multiprocessors - 1) / multiprocessors,
              tiles_each = (tiles + shares - 1) / shares,
              turns = (tiles_each + tiling.consumers - 1) / tiling.consumers,
              stages = (size.keys + tiling.keys - 1) / tiling.keys;
  Plan out{TilingName::resident, static_cast<int>(size.sequences * shares), 0, multiprocessors,
           std::numeric_limits<double>::infinity()};
  if (!has_tiling(TilingName::resident, size.head_dim) || stages > tiling.stages) return out;
  const double keys = tiling.key_cost * static_cast<double>(stages * tiling.keys);
  out.cost =
      static_cast<double>(rounds * turns * tiling.consumers * tiling.rows()) * (keys + tiling.start_cost);
  return out;
}

/// Returns the plan with a tiling, of infinite cost if it cannot run. `halves` is whether keys may be halved
/// in the last round, as masks do not allow.
constexpr Plan plan(TilingName name, const AttentionSize& size, int multiprocessors, bool halves = true) {
  if (name == TilingName::resident) return resident_plan(size, multiprocessors);
  const Tiling tiling = tiling_of(name, size.head_dim);
  const auto tiles_of = [&size](Index rows) {
    return static_cast<int>((size.queries + rows - 1) / rows * size.sequences);
  };
  const auto cost_of = [&tiling](Index tiles, double cost_of_key, double start) {
    return tiling.rows() * (cost_of_key * static_cast<double>(tiles * tiling.keys) + start);
  };
  const Index tiles = (size.keys + tiling.keys - 1) / tiling.keys;
  const int clusters = tiles_of(tiling.rows() * tiling.sharing),
            at_once = std::max(1, multiprocessors / tiling.sharing), whole = clusters / at_once,
            rest = clusters % at_once;
  Plan out{name, clusters, 0, at_once, std::numeric_limits<double>::infinity()};
  if (!has_tiling(name, size.head_dim)) return out;
  const double round = cost_of(tiles, tiling.key_cost, tiling.start_cost);
  out.cost = (whole + (rest > 0)) * round;
  if (!halves || !tiling.halves_keys() || rest == 0 || tiles < 2) return out;
  const int halved = whole == 0 ? tiles_of(tiling.rows()) : 2 * rest;
  const double halved_cost = whole * round + cost_of((tiles + 1) / 2, halved_key_cost * tiling.key_cost,
                                                     tiling.start_cost + halved_start_cost);
  if (halved <= at_once && halved_cost < out.cost)
    out = {name, whole * at_once, halved, at_once, halved_cost};
  return out;
}

/// Returns the plan with the tiling that costs least among some, of which the first runs.
constexpr Plan choose(std::initializer_list<TilingName> names, const AttentionSize& size,
                      int multiprocessors) {
  Plan best = plan(*names.begin(), size, multiprocessors);
  for (const TilingName name : names) {
    const Plan other = plan(name, size, multiprocessors);
    if (other.cost < best.cost) best = other;
  }
  return best;
}
constexpr Plan choose(const AttentionSize& size, int multiprocessors) {
  using enum TilingName;
  return choose({wide, narrow, tall, resident}, size, multiprocessors);
}

constexpr const char* to_string(TilingName name) {
  constexpr const char* names[] = {"wide", "narrow", "tall", "resident"};
  return names[static_cast<int>(name)];
}

inline std::string to_string(const Plan& plan) {
  if (!plan.runs()) return sentence(to_string(plan.tiling), ": does not run");
  return sentence(to_string(plan.tiling), ": ", plan.clusters, " tiles of clusters, ", plan.halved,
                  " with halved keys, ", plan.at_once, " at once");
}

}  // namespace weft::inline v0_1::kernels::sm90
