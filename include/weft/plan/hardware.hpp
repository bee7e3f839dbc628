// What a cost model knows of GPUs and of the links between them.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "weft/comm/mesh.hpp"

namespace weft {

/// Rates that large problems reach, not those of a data sheet, in 16-bit numbers unless the machine says
/// otherwise.
struct Gpu {
  double matrix_rate = 0;     // FLOP/s of products
  double attention_rate = 0;  // FLOP/s inside of attention
  double memory_rate = 0;     // B/s, read and written
  double memory = 0;          // B
  int multiprocessors = 1;
  double launch = 0;  // seconds from one kernel to the next that depends on it

  friend constexpr bool operator==(const Gpu&, const Gpu&) = default;
};

/// GPUs that reach one another by the same link: those under one switch or root, of a host, of all hosts.
struct Tier {
  int gpus = 1;        // neighbours by number
  double rate = 0;     // B/s that a GPU sends, or all of the tier below together where it is shared
  double latency = 0;  // seconds of a message
  bool shared = false;

  friend constexpr bool operator==(const Tier&, const Tier&) = default;
};

constexpr int all_gpus = std::numeric_limits<int>::max();

struct Hardware {
  Gpu gpu;
  std::array<Tier, 3> tiers;  // from the nearest; the last one is of all_gpus

  friend constexpr bool operator==(const Hardware&, const Hardware&) = default;
};

/// Ranks of one method: `degree` of them, every `step`-th.
struct Group {
  int step = 1;
  int degree = 1;
};

constexpr Group group_of(const Mesh& mesh, Axis axis) { return {mesh.step(axis), mesh.degree(axis)}; }

namespace detail {

/// How many ranks of a group one tier holds, at least one.
constexpr int members(const Tier& tier, Group group) {
  return std::clamp(tier.gpus / group.step, 1, group.degree);
}

/// What a GPU sends a second where `crossing` GPUs of the tier below send at the same time.
constexpr double rate_of(const Tier& tier, int crossing) {
  return tier.shared ? tier.rate / std::max(crossing, 1) : tier.rate;
}

}  // namespace detail

/// Seconds in which every rank of the group sends `bytes` to the next one.
constexpr double neighbour_seconds(const Hardware& hardware, double bytes, Group group) {
  if (group.degree == 1) return 0;
  for (std::size_t t = 0; t < hardware.tiers.size(); ++t) {
    const Tier& tier = hardware.tiers[t];
    if (detail::members(tier, group) < group.degree) continue;
    const int below = t > 0 ? hardware.tiers[t - 1].gpus : 1;
    return tier.latency + bytes / detail::rate_of(tier, std::min(group.step, below));
  }
  return std::numeric_limits<double>::infinity();
}

/// Seconds in which every rank of the group sends `bytes` in all, as much to each of the others. Tiers work
/// at the same time.
constexpr double exchange_seconds(const Hardware& hardware, double bytes, Group group) {
  if (group.degree == 1) return 0;
  double slowest = 0, latency = 0;
  int reached = 1, below = 1;
  for (const Tier& tier : hardware.tiers) {
    const int members = detail::members(tier, group);
    if (members > reached) {
      const double part = bytes * (members - reached) / (group.degree - 1);
      slowest = std::max(slowest, part / detail::rate_of(tier, below));
      latency = tier.latency;
    }
    reached = members, below = tier.gpus;
  }
  return latency + slowest;
}

}  // namespace weft
