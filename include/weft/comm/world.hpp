// World: what an Engine runs on, one rank's view of all ranks.
#pragma once

#include <concepts>
#include <string_view>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/core/error.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1 {

/// The communicator of all ranks. It sends to any rank and splits off the communicators of the mesh's axes;
/// `workers()` is how many threads share an operator of the Host backend, `lane()` is where the trace goes,
/// or null.
///
/// A world outlives the engines and communicators that were made from it, and belongs to the thread that runs
/// its rank. After an InvalidArgument that all ranks threw together it is as before; after any other
/// exception it must be left, which ends the other ranks.
template <class W>
concept World = SendReceive<W> && AllToAll<W> && Communicator<typename W::Communicator> &&
    requires(const W& world, std::string_view name, const std::vector<int>& members) {
  { world.workers() } -> std::same_as<int>;
  { world.lane() } -> std::same_as<Lane*>;
  { world.split(name, members) } -> std::same_as<typename W::Communicator>;
};

namespace detail {

/// Returns how many threads a launch was asked for: `all` for 0. Throws InvalidArgument below that.
[[nodiscard]] inline int threads_or(int all, int threads) {
  if (threads < 0) reject("a launch is to use ", threads, " threads; use 1 or more, or 0 for ", all, " here");
  return threads > 0 ? threads : all;
}

}  // namespace detail

}  // namespace weft::inline v0_1
