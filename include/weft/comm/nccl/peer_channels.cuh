// PeerChannels: a channel for every pair of neighbours and each direction, so that receives can be posted
// ahead.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "weft/comm/members.hpp"
#include "weft/comm/nccl/channel.cuh"

namespace weft::inline v0_1::nccl {

/// A channel, and the rank of the peer on it.
struct PeerChannel {
  Channel* channel = nullptr;
  int peer = 0;
};

/// The channels of one member of a group in which neighbours send in both directions; the last and the first
/// rank are neighbours too.
class PeerChannels {
 public:
  PeerChannels() = default;

  /// Makes the channels; all members call it. Channels without a common rank are made at the same time:
  /// around the group, even and odd ranks take turns, and in an odd group the last rank has a turn of its
  /// own.
  PeerChannels(const std::shared_ptr<RankState>& state, ncclComm_t group, const std::string& name,
               const Members& members)
      : made_(std::make_shared<InOrder>()),
        to_(static_cast<std::size_t>(members.size())),
        from_(static_cast<std::size_t>(members.size())) {
    const int n = members.size(), self = members.rank(), turns = n % 2 == 0 ? 2 : 3;
    const auto turn_of = [n, turns](int rank) { return turns == 3 && rank + 1 == n ? 2 : rank % 2; };
    for (const bool upwards : {true, false}) {
      if (n == 2 && !upwards) continue;  // around a group of two, upwards makes both directions
      for (int turn = 0; turn < turns; ++turn) {
        int mine = -1;  // the lower rank of this turn's channel
        for (int rank = 0; rank < n; ++rank)
          if (turn_of(rank) == turn && (rank == self || (rank + 1) % n == self)) mine = rank;
        const int next = mine < 0 ? -1 : (mine + 1) % n;
        const int sender = upwards ? mine : next, receiver = upwards ? next : mine;
        constexpr int most_blocks = 4;  // thread blocks that a receive posted ahead takes from computation
        ncclComm_t comm =
            split_off(group, mine < 0 ? NCCL_SPLIT_NOCOLOR : mine, self == sender ? 0 : 1, most_blocks);
        if (!comm) continue;
        const std::vector<int> both{members.world_rank(sender), members.world_rank(receiver)};
        Channel* const channel =
            made_->channels.emplace_back(std::make_unique<Channel>(state, comm, name, both)).get();
        constexpr int sending[] = {0}, receiving[] = {1};
        if (self == sender) {
          channel->connect(receiving, {});
          to_[static_cast<std::size_t>(receiver)] = {channel, 1};
        } else {
          channel->connect({}, sending);
          from_[static_cast<std::size_t>(sender)] = {channel, 0};
        }
      }
    }
  }

  /// Returns the channel on which this rank sends to a member, or receives from it; null if there is none.
  const PeerChannel* to(int member) const { return found(to_, member); }
  const PeerChannel* from(int member) const { return found(from_, member); }

 private:
  static const PeerChannel* found(const std::vector<PeerChannel>& all, int member) {
    const auto at = static_cast<std::size_t>(member);
    return at < all.size() && all[at].channel ? &all[at] : nullptr;
  }

  /// Channels that are destroyed in the order in which they were made. NCCL destroys a communicator when both
  /// of its ranks do; in this order no two ranks wait for each other.
  struct InOrder {
    std::vector<std::unique_ptr<Channel>> channels;

    ~InOrder() {
      for (auto& channel : channels) channel.reset();
    }
  };

  std::shared_ptr<InOrder> made_;
  std::vector<PeerChannel> to_, from_;  // by member
};

}  // namespace weft::inline v0_1::nccl
