// Team: the ranks of a communicator in which all can access each other's memory.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>

#include "weft/backend/cuda/host_copy.cuh"
#include "weft/comm/nccl/host_all_gather.cuh"
#include "weft/comm/nccl/mailbox.cuh"
#include "weft/comm/nccl/window.cuh"
#include "weft/peer_barrier.cuh"

namespace weft::inline v0_1::nccl {

/// NCCL's load/store accessible team, such as the GPUs of a host that NVLink connects. Its communication
/// takes no multiprocessor from computation: copy engines and the streams themselves do it. The communicator
/// must outlive it.
class Team {
 public:
  /// Makes the team of a communicator, of which all ranks call it; null unless all can access each other's
  /// memory.
  [[nodiscard]] static std::shared_ptr<Team> of(ncclComm_t comm, int members, int self) {
    if (members == 1 || members > kernels::PeerBarrier::most || Reachable(comm, self).count != members)
      return nullptr;
    std::shared_ptr<Team> team(new Team(comm, members, self));
    const bool works = team->stores_arrive();
    return team->all_gather_.largest(works ? 0 : 1) == 0 ? team : nullptr;
  }

  HostAllGather& all_gather() { return all_gather_; }
  /// Messages through memory of the receiver; to be opened before use.
  Mailbox& mailbox() { return mailbox_; }

  /// Orders what is queued next after what all members have queued before their calls.
  void barrier(cudaStream_t stream) const { kernels::wait_at(barrier_, stream); }

 private:
  /// Words of a window: the counts of a barrier, one word that its owner alone uses, and one that each member
  /// writes as a test.
  static constexpr Index words = 2 * kernels::PeerBarrier::most + 1;

  Team(ncclComm_t comm, int members, int self)
      : members_(members),
        self_(self),
        all_gather_(comm, members),
        window_(comm, members, words * static_cast<Index>(sizeof(std::uint32_t))),
        mailbox_(comm, members, self, all_gather_) {
    if (window_.empty()) return;
    for (int member = 0; member < members; ++member) barrier_.counts[member] = word(member, 0);
    barrier_.passed = word(self, kernels::PeerBarrier::most);
    barrier_.members = members;
    barrier_.self = self;
  }

  std::uint32_t* word(int member, int number) const {
    return reinterpret_cast<std::uint32_t*>(window_.of(member)) + number;
  }

  /// Returns whether the stores of every member arrive in this rank's memory: between some devices of some
  /// hosts they do not.
  bool stores_arrive() {
    constexpr int first = kernels::PeerBarrier::most + 1;
    const auto pattern = [](int from, int to) {
      return 0x9E3779B9u * static_cast<std::uint32_t>(64 * from + to + 1);
    };
    if (all_gather_.largest(window_.empty() ? 1 : 0) == 1) return false;
    for (int member = 0; member < members_; ++member) {
      const std::uint32_t sent = pattern(self_, member);
      cuda::copy_from_host(word(member, first + self_), &sent, sizeof sent);
    }
    all_gather_({0});
    bool arrived = true;
    for (int member = 0; member < members_; ++member) {
      std::uint32_t found = 0;
      check(cudaMemcpy(&found, word(self_, first + member), sizeof found, cudaMemcpyDeviceToHost),
            "Reading what other devices have stored");
      arrived = arrived && found == pattern(member, self_);
    }
    return arrived;
  }

  int members_, self_;
  HostAllGather all_gather_;
  Window window_;
  kernels::PeerBarrier barrier_{};
  Mailbox mailbox_;
};

}  // namespace weft::inline v0_1::nccl
