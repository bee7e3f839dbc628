// Links: a channel for every pair of neighbours and each direction, so that receives may be posted ahead.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "weft/comm/members.hpp"
#include "weft/comm/nccl/channel.cuh"

namespace weft::nccl {

/// A channel, and the peer's rank there.
struct Link {
  Channel* channel = nullptr;
  int peer = 0;
};

/// Those of one member of a group whose neighbours talk in both directions, the last and the first too.
class Links {
 public:
  Links() = default;

  /// All members call it. Each link is made by its two ranks; those that have no rank in common, at the same
  /// time. Round the group, even places and odd ones take turns, and in an odd group the last has a turn of
  /// its own.
  Links(const std::shared_ptr<Home>& home, ncclComm_t group, const std::string& name, const Members& members)
      : made_(std::make_shared<InOrder>()),
        to_(static_cast<std::size_t>(members.size())),
        from_(static_cast<std::size_t>(members.size())) {
    const int n = members.size(), self = members.rank(), turns = n % 2 == 0 ? 2 : 3;
    const auto turn_of = [n, turns](int place) { return turns == 3 && place + 1 == n ? 2 : place % 2; };
    for (const bool upwards : {true, false}) {
      if (n == 2 && !upwards) continue;  // round a group of two, both directions are there already
      for (int turn = 0; turn < turns; ++turn) {
        int mine = -1;
        for (int place = 0; place < n; ++place)
          if (turn_of(place) == turn && (place == self || (place + 1) % n == self)) mine = place;
        const int next = mine < 0 ? -1 : (mine + 1) % n;
        const int sender = upwards ? mine : next, receiver = upwards ? next : mine;
        constexpr int most_blocks = 4;  // a receive that is posted ahead takes them from what computes
        ncclComm_t comm =
            split_off(group, mine < 0 ? NCCL_SPLIT_NOCOLOR : mine, self == sender ? 0 : 1, most_blocks);
        if (!comm) continue;
        const std::vector<int> both{members.world_rank(sender), members.world_rank(receiver)};
        Channel* const channel =
            made_->channels.emplace_back(std::make_unique<Channel>(home, comm, name, both)).get();
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

  /// Null if there is none.
  const Link* to(int member) const { return found(to_, member); }
  const Link* from(int member) const { return found(from_, member); }

 private:
  static const Link* found(const std::vector<Link>& links, int member) {
    const auto at = static_cast<std::size_t>(member);
    return at < links.size() && links[at].channel ? &links[at] : nullptr;
  }

  /// NCCL destroys a communicator when both of its ranks do, so links end in the order in which they were
  /// made, in which no two ranks wait for each other.
  struct InOrder {
    std::vector<std::unique_ptr<Channel>> channels;

    ~InOrder() {
      for (auto& channel : channels) channel.reset();
    }
  };

  std::shared_ptr<InOrder> made_;
  std::vector<Link> to_, from_;  // by the member
};

}  // namespace weft::nccl
