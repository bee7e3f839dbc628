// Rate and latency of a link, from the transfers that `bench` times too.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "transfers.hpp"
#include "weft/plan/hardware.hpp"

namespace command {

struct LinkTimes {
  weft::planner::Link messages;  // by the communicator's calls; the latency includes the wait
  weft::planner::Link stores;    // by kernels; zeros where ranks cannot store
};

/// Returns the times of the link between this rank and the rank `apart` from it, with all pairs at once and
/// both ways: the rate is that of a transfer of `many` bytes beyond an empty one, which counts for at most
/// half of its time, since busy processors may delay it more. All ranks of the world call this together.
template <class Backend, class World>
LinkTimes measured_links(World& world, int apart, weft::Index many = 256'000'000) {
  constexpr weft::Index few = 0;
  const int first = world.rank() / (2 * apart) * 2 * apart + world.rank() % apart;
  std::vector<int> pair{world.rank()};
  if (first + apart < world.size()) pair = {first, first + apart};
  auto queue = Backend::queue(world);
  using Pair = Transfers<Backend, typename World::Communicator>;
  Pair transfers(queue, world.split("pair", pair), many, true);
  const auto link = [&transfers, many](TransferKind kind) {
    const double latency = transfers.seconds(kind, few), whole = transfers.seconds(kind, many);
    return weft::planner::Link{static_cast<double>(many) / std::max(whole - latency, whole / 2), latency};
  };
  LinkTimes times{link(TransferKind::send), {}};
  if (transfers.has(TransferKind::stores))
    times.stores = {link(TransferKind::stores).rate, transfers.seconds(TransferKind::barrier, few)};
  return times;
}

}  // namespace command
