// The trace slice of an operation between ranks.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "weft/comm/strided_bytes.hpp"
#include "weft/core/error.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1::nccl {

/// Returns a slice that is named after the communicator and, if it has only one, the peer. `members` are the
/// communicator's ranks in the world.
[[nodiscard]] inline Lane::Slice transfer_slice(const std::string& name, const std::vector<int>& members,
                                                std::span<const Addressed> sends,
                                                std::span<const Addressed> receives) {
  const auto world_rank = [&members](int member) { return members[static_cast<std::size_t>(member)]; };
  std::set<int> peers;
  Index bytes = 0;
  for (const Addressed& message : sends) {
    peers.insert(world_rank(message.peer));
    bytes += message.piece.bytes();
  }
  for (const Addressed& message : receives) peers.insert(world_rank(message.peer));
  const bool sends_alone = receives.empty() && sends.size() == 1;
  return {.name = peers.size() == 1 ? sentence(name, ' ', *peers.begin()) : name,
          .category = "transfer",
          .bytes = bytes,
          .awaited_by = sends_alone ? world_rank(sends.front().peer) : -1};
}

}  // namespace weft::inline v0_1::nccl
