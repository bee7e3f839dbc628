// World: what an Engine runs on.
#pragma once

#include <concepts>
#include <string_view>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/core/trace.hpp"

namespace weft {

/// A rank's place among all: it sends to any and to many at once, splits off the communicators of the axes,
/// and says how many threads share an operator of the Host backend and where the trace goes, which is null
/// where there is none.
template <class W>
concept World = SendReceive<W> && AllToAll<W> && Communicator<typename W::Communicator> &&
    requires(const W& world, std::string_view name, const std::vector<int>& members) {
  { world.workers() } -> std::same_as<int>;
  { world.lane() } -> std::same_as<Lane*>;
  { world.split(name, members) } -> std::same_as<typename W::Communicator>;
};

}  // namespace weft
