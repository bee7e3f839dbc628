// HostHeap: memory of a rank that the other ranks of its host reach.
#pragma once

#include <nccl.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "weft/backend/cuda/heap.cuh"
#include "weft/comm/nccl/check.cuh"
#include "weft/comm/nccl/team.cuh"

namespace weft::nccl {

class HostHeap {
 public:
  /// Called by all ranks of the world, of which this is `rank`; null where no other reaches it.
  static std::unique_ptr<HostHeap> of(ncclComm_t world, int rank) {
    const Reachable reachable(world, rank);
    ncclComm_t host = nullptr;
    check(ncclCommSplit(world, reachable.count > 1 ? reachable.first : NCCL_SPLIT_NOCOLOR, rank, &host,
                        nullptr),
          "splitting a communicator");
    if (!host) return nullptr;
    auto team = Team::of(host, reachable.count, rank - reachable.first);
    if (team) return std::unique_ptr<HostHeap>(new HostHeap(host, std::move(team), reachable));
    ncclCommDestroy(host);
    return nullptr;
  }
  HostHeap(const HostHeap&) = delete;
  HostHeap& operator=(const HostHeap&) = delete;
  ~HostHeap() {
    team_.reset();
    ncclCommDestroy(host_);
  }

  cuda::Heap& heap() { return heap_; }

  /// Where something lies in this rank's part of the heap, in a form that other ranks understand.
  Index place_of(const void* pointer) const {
    const auto* const address = static_cast<const std::byte*>(pointer);
    for (const auto& [number, weak] : windows_)
      if (const auto window = weak.lock(); window && window->holds(address))
        return number * most_bytes + (address - window->own());
    throw std::logic_error("memory that other ranks write to must be taken by Queue::take_together");
  }
  /// Where a place of a rank of the world is for this rank.
  void* at(int world_rank, Index place) const {
    return windows_.at(place / most_bytes).lock()->of(world_rank - first_) + place % most_bytes;
  }

 private:
  HostHeap(ncclComm_t host, std::shared_ptr<Team> team, const Reachable& reachable)
      : host_(host), team_(std::move(team)), first_(reachable.first), members_(reachable.count) {}

  /// As much as the rank that needs most.
  cuda::Memory provide(std::size_t bytes) {
    std::erase_if(windows_, [](const auto& entry) { return entry.second.expired(); });
    const auto window =
        std::make_shared<Window>(host_, members_, team_->exchange().most(static_cast<Index>(bytes)));
    window->need();
    windows_[provided_++] = window;
    return {window, window->own()};
  }

  static constexpr Index most_bytes = Index{1} << 44;  // of one window

  ncclComm_t host_;
  std::shared_ptr<Team> team_;
  int first_, members_;
  Index provided_ = 0;
  std::map<Index, std::weak_ptr<Window>> windows_;  // by their order, which is the same on all ranks
  cuda::Heap heap_{[this](std::size_t bytes) { return provide(bytes); }};
};

}  // namespace weft::nccl
