// The tilings of attention on sm_90a, and the choice among them, as pure functions for the host.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string>

#include "weft/ceil_div.hpp"
#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels::sm90 {

enum class TilingName {
  wide,
  narrow,      // fewer keys a tile, for where the last tile is then fuller
  split,       // each tile of queries by two blocks, for where queries are too few for all multiprocessors
  tall,        // more queries a tile, for where they are many enough to spread evenly all the same
  tall_split,  // of tall what split is of wide
  resident,    // all keys stay in shared memory, for where they are few
};

/// The blocks of a cluster either multicast keys and values to each other, or take a part of the keys each,
/// for the same queries. Or a block loads all keys and values of a head once, and its consumers each take
/// tiles of their own.
struct Tiling {
  int consumers;  // warpgroups, each with wgmma_rows queries
  int keys;       // a tile
  int stages;     // of the pipelines of keys and values
  int sharing;    // blocks that multicast keys and values to each other
  int parts;      // of the keys
  bool resident;  // whether the stages hold all keys
  // The cost of a query, where one key costs a query of the wide tiling 1:
  double key_cost;    // for each key
  double start_cost;  // besides its keys

  constexpr int rows() const { return resident ? wgmma_rows : wgmma_rows * consumers; }
  constexpr int cluster() const { return sharing * parts; }
};

/// Returns a tiling whose clusters split the keys instead of sharing them, at these costs.
constexpr Tiling with_split_keys(Tiling tiling, double key_cost, double start_cost) {
  tiling.sharing = 1;
  tiling.parts = 2;
  tiling.key_cost = key_cost;
  tiling.start_cost = start_cost;
  return tiling;
}

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
              .parts = 1,
              .resident = false,
              .key_cost = 1.05,
              .start_cost = 300};
    case TilingName::split:
      return with_split_keys(tiling_of(TilingName::wide, head_dim), 1.2, 700);
    case TilingName::tall:
      return {.consumers = 3,
              .keys = 64,
              .stages = 3,
              .sharing = 2,
              .parts = 1,
              .resident = false,
              .key_cost = 0.945,
              .start_cost = 345};
    case TilingName::tall_split:
      return with_split_keys(tiling_of(TilingName::tall, head_dim), 1.13, 745);
    case TilingName::resident:
      return {.consumers = 3,
              .keys = 48,
              .stages = 7,
              .sharing = 1,
              .parts = 1,
              .resident = true,
              .key_cost = 0.89,
              .start_cost = 232};
  }
  return {.consumers = 2,
          .keys = keys,
          .stages = 3,
          .sharing = 2,
          .parts = 1,
          .resident = false,
          .key_cost = 1,
          .start_cost = 300};
}

/// Returns whether registers and shared memory suffice for a tiling.
constexpr bool has_tiling(TilingName name, int head_dim) {
  const bool is_tall = name == TilingName::tall || name == TilingName::tall_split;
  return is_tall ? head_dim <= 88 : name != TilingName::resident || head_dim <= 96;
}

/// The size of a call of attention, on which the choice depends.
struct AttentionSize {
  Index queries, keys;
  Index sequences;  // heads of all images
  int head_dim;
};

/// A launch with a tiling: clusters of blocks that take tiles of queries in turn, or, of resident keys, the
/// tiles of a share of a head's queries. Clusters that share keys take full rounds alone, where a further
/// launch, by the tiling that splits the keys of each tile over two blocks, is faster for the rest.
struct Plan {
  TilingName tiling;
  int row_tiles;        // tiles of queries of a head
  int begin, end, all;  // of the tiles of all heads: those of this launch, and how many there are
  int clusters;         // tiles of queries, or shares of them, each of a cluster
  int at_once;          // clusters that run at the same time
  double cost;          // of all rounds, in queries times the costs of a Tiling; infinite if it cannot run

  /// Returns how many clusters the grid has.
  constexpr int launched() const { return std::min(clusters, at_once); }
  constexpr bool runs() const { return cost < std::numeric_limits<double>::infinity(); }

  /// Returns whether tiles are left, and the launch that takes them.
  constexpr bool leaves_rest() const { return end < all; }
  constexpr Plan rest() const {
    return {tiling == TilingName::tall ? TilingName::tall_split : TilingName::split,
            row_tiles,
            end,
            all,
            all,
            all - end,
            at_once,
            cost};
  }
};

/// Returns the plan with resident keys, of infinite cost if they do not fit.
constexpr Plan resident_plan(const AttentionSize& size, int multiprocessors) {
  const Tiling tiling = tiling_of(TilingName::resident, size.head_dim);
  const Index tiles = ceil_div(size.queries, tiling.rows()),
              shares = std::clamp(multiprocessors / size.sequences, Index{1}, tiles),
              rounds = ceil_div(size.sequences * shares, multiprocessors),
              turns = ceil_div(ceil_div(tiles, shares), tiling.consumers),
              stages = ceil_div(size.keys, tiling.keys);
  const int all = static_cast<int>(tiles * size.sequences);
  Plan out{TilingName::resident,
           static_cast<int>(tiles),
           0,
           all,
           all,
           static_cast<int>(size.sequences * shares),
           multiprocessors,
           std::numeric_limits<double>::infinity()};
  if (!has_tiling(TilingName::resident, size.head_dim) || stages > tiling.stages) return out;
  const double keys = tiling.key_cost * static_cast<double>(stages * tiling.keys);
  out.cost =
      static_cast<double>(rounds * turns * tiling.consumers * tiling.rows()) * (keys + tiling.start_cost);
  return out;
}

/// Returns what one round of a tiling costs over so many keys.
constexpr double round_cost(const Tiling& tiling, Index keys) {
  const Index tiles = ceil_div(ceil_div(keys, tiling.keys), tiling.parts);
  return tiling.rows() * (tiling.key_cost * static_cast<double>(tiles * tiling.keys) + tiling.start_cost);
}

/// What a launch more costs, as the start_cost of a round of wide.
inline constexpr double launch_cost = 300 * 128;

/// Whether a last round that leaves half of the multiprocessors idle may be split by keys.
enum class LastRound { whole, split };

/// Returns the plan with a tiling, of infinite cost if it cannot run.
constexpr Plan plan(TilingName name, const AttentionSize& size, int multiprocessors,
                    LastRound last = LastRound::split) {
  if (name == TilingName::resident) return resident_plan(size, multiprocessors);
  const Tiling tiling = tiling_of(name, size.head_dim);
  const int row_tiles = ceil_div(size.queries, tiling.rows() * tiling.sharing) * tiling.sharing,
            all = row_tiles * static_cast<int>(size.sequences), clusters = all / tiling.sharing,
            at_once = std::max(1, multiprocessors / tiling.cluster()), full = clusters / at_once,
            rest = clusters % at_once;
  Plan out{name, row_tiles, 0, all, all, clusters, at_once, std::numeric_limits<double>::infinity()};
  const Index tiles = ceil_div(size.keys, tiling.keys);
  const bool splits = tiling.parts > 1;  // then each block of a cluster takes some of the keys
  if (!has_tiling(name, size.head_dim) || (splits && (clusters > at_once || tiles < tiling.parts)))
    return out;
  const double round = round_cost(tiling, size.keys);
  out.cost = (full + (rest > 0)) * round;
  const bool may_leave_rest = last == LastRound::split && tiling.sharing == 2 && name != TilingName::narrow &&
                              full > 0 && rest > 0 && 2 * rest <= at_once && tiles > 1;
  if (!may_leave_rest) return out;
  Plan shorter = out;
  shorter.end = full * at_once * tiling.sharing;
  shorter.clusters = full * at_once;
  shorter.cost =
      full * round + launch_cost + round_cost(tiling_of(shorter.rest().tiling, size.head_dim), size.keys);
  return shorter.cost < out.cost ? shorter : out;
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
  return choose({wide, narrow, split, tall, tall_split, resident}, size, multiprocessors);
}

constexpr const char* to_string(TilingName name) {
  constexpr const char* names[] = {"wide", "narrow", "split", "tall", "tall_split", "resident"};
  return names[static_cast<int>(name)];
}

inline std::string to_string(const Plan& plan) {
  if (!plan.runs()) return sentence(to_string(plan.tiling), ": does not run");
  const auto own =
      sentence(to_string(plan.tiling), ": ", plan.clusters, " clusters, ", plan.at_once, " at once");
  return plan.leaves_rest() ? sentence(own, ", then ", to_string(plan.rest())) : own;
}

}  // namespace weft::inline v0_1::kernels::sm90
