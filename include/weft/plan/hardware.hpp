// Hardware: GPUs and the links between them, as cost models see them.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "weft/comm/mesh.hpp"

namespace weft::inline v0_1::planner {

/// Rates that large problems reach, not those of a data sheet, in 16-bit numbers unless the machine says
/// otherwise.
struct Gpu {
  double matrix_rate = 0;     // FLOP/s of products
  double attention_rate = 0;  // FLOP/s inside of attention
  double memory_rate = 0;     // B/s, read and written
  double memory = 0;          // B
  int multiprocessors = 1;
  double launch = 0;  // seconds from one kernel to the next that depends on it
  // Rates in a step, where they differ from those of the same kernels alone; 0: unknown, and taken as equal.
  double sustained_matrix_rate = 0;  // FLOP/s of products in a step, where clocks fall to the power limit
  double rows_rate = 0;              // B/s of norms and rotations
  double epilogue_rate = 0;          // numbers/s that products activate, or add a residual to, on top
  // What weft's kernels do on its architecture; 0: nothing of it.
  double softmax_share = 0;   // of attention's time with heads of 88 features: as much whatever the features
  double split_key_cost = 0;  // of a key where two blocks share a tile's keys, in those of a block alone
  double stored_early = 0;    // share of heads' stores into other GPUs that all rounds of their layer but the
                              // last hide

  friend constexpr bool operator==(const Gpu&, const Gpu&) = default;
};

/// The engines of transfers from one GPU to another: copy engines, kernels that store into the other's
/// memory, or NCCL's kernels.
enum class Carrier { copies, stores, nccl };

/// A link as a carrier uses it: B/s that a GPU sends, and seconds of a message, or of a barrier before or
/// after stores. A rate of 0: unknown.
struct Link {
  double rate = 0, latency = 0;

  friend constexpr bool operator==(const Link&, const Link&) = default;
};

/// GPUs that the same kind of link connects: those under one switch or root, of a host, of all hosts.
struct Tier {
  int gpus = 1;         // neighbours by number
  double rate = 0;      // B/s that a GPU sends, or all together that send through a shared link
  double latency = 0;   // seconds of a message
  bool shared = false;  // whether GPUs share the link: the nearest tier's own, or those of a group below
  Link stores{}, nccl{};

  /// Returns the carrier's link; that of copies if the carrier's own rate is unknown.
  constexpr Link link(Carrier carrier) const {
    const Link& own = carrier == Carrier::nccl ? nccl : stores;
    return carrier == Carrier::copies || own.rate == 0 ? Link{rate, latency} : own;
  }

  friend constexpr bool operator==(const Tier&, const Tier&) = default;
};

constexpr int all_gpus = std::numeric_limits<int>::max();

/// A kind of GPU, and the links between many of them.
struct Hardware {
  Gpu gpu;
  std::array<Tier, 3> tiers;  // from the nearest; the last one is of all_gpus
  double relaunch = 0;        // seconds between two replays of a step's graph, for each GPU but one in it

  /// Returns whether the rate at which kernels store into other GPUs' memory is known.
  constexpr bool knows_stores() const { return tiers.front().stores.rate > 0; }

  friend constexpr bool operator==(const Hardware&, const Hardware&) = default;
};

/// Ranks of one method: `degree` of them, every `stride`-th of `ranks`, which all send at the same time.
struct Group {
  int stride = 1;
  int degree = 1;
  int ranks = stride * degree;
};

constexpr Group group_of(const Mesh& mesh, Axis axis) {
  return {mesh.stride(axis), mesh.degree(axis), static_cast<int>(mesh.ranks())};
}

namespace detail {

/// Returns how many ranks of a group one tier holds, at least one.
constexpr int members(const Tier& tier, Group group) {
  return std::clamp(tier.gpus / group.stride, 1, group.degree);
}

/// Returns the B/s of one of `senders` GPUs.
constexpr double rate_of(const Tier& tier, Carrier carrier, int senders) {
  const double rate = tier.link(carrier).rate;
  return tier.shared ? rate / std::max(senders, 1) : rate;
}

}  // namespace detail

/// Returns the seconds in which every rank of the group sends `bytes` to the next one, over the slowest link
/// around the group.
constexpr double neighbour_seconds(const Hardware& hardware, double bytes, Group group,
                                   Carrier carrier = Carrier::copies) {
  double seconds = 0;
  int reached = 1, below = 0;
  for (const Tier& tier : hardware.tiers) {
    const int members = detail::members(tier, group);
    if (members > reached) {
      const int senders = below == 0 ? std::min(tier.gpus, group.ranks) : std::min(group.stride, below);
      seconds =
          std::max(seconds, tier.link(carrier).latency + bytes / detail::rate_of(tier, carrier, senders));
    }
    reached = members;
    below = tier.gpus;
  }
  return seconds;
}

/// The seconds of an exchange, apart from its bytes and for its bytes.
struct ExchangeCost {
  double latency = 0, bytes = 0;
};

/// Returns the cost of an exchange in which every rank of the group sends `bytes` in all, as much to each of
/// the others. Tiers transfer at the same time.
constexpr ExchangeCost exchange_cost(const Hardware& hardware, double bytes, Group group, Carrier carrier) {
  ExchangeCost cost;
  int reached = 1, below = 0;
  for (const Tier& tier : hardware.tiers) {
    const int members = detail::members(tier, group);
    if (members > reached) {
      const int senders = std::min(below == 0 ? tier.gpus : below, group.ranks);
      const double part = bytes * (members - reached) / (group.degree - 1);
      cost.bytes = std::max(cost.bytes, part / detail::rate_of(tier, carrier, senders));
      cost.latency = tier.link(carrier).latency;
    }
    reached = members;
    below = tier.gpus;
  }
  return cost;
}

constexpr double exchange_seconds(const Hardware& hardware, double bytes, Group group,
                                  Carrier carrier = Carrier::copies) {
  const ExchangeCost cost = exchange_cost(hardware, bytes, group, carrier);
  return cost.latency + cost.bytes;
}

}  // namespace weft::inline v0_1::planner
