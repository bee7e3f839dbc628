// HostHeap: memory of a rank that the other ranks of its host can access.
#pragma once

#include <nccl.h>

#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

#include "weft/backend/cuda/heap.cuh"
#include "weft/comm/nccl/check.cuh"
#include "weft/comm/nccl/team.cuh"

namespace weft::inline v0_1::nccl {

/// The world's communicator must outlive it.
class HostHeap {
 public:
  /// Makes the heap of `rank`; all ranks of the world call it. Null where no other rank can access its
  /// memory.
  [[nodiscard]] static std::unique_ptr<HostHeap> of(ncclComm_t world, int rank) {
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

  /// Returns the offset of an address in the heap, which other ranks resolve by `at`. Throws std::logic_error
  /// if it is outside of the heap.
  Index place_of(const void* pointer) const {
    const auto* const address = static_cast<const std::byte*>(pointer);
    for (const auto& [number, weak] : windows_)
      if (const auto window = weak.lock(); window && window->holds(address))
        return number * most_bytes + (address - window->own());
    throw std::logic_error("memory that other ranks write to must be taken by Queue::take_together");
  }
  /// Returns the address, in this rank's address space, of an offset in the heap of a rank of the world.
  void* at(int world_rank, Index place) const {
    return windows_.at(place / most_bytes).lock()->of(world_rank - first_) + place % most_bytes;
  }

 private:
  HostHeap(ncclComm_t host, std::shared_ptr<Team> team, const Reachable& reachable)
      : host_(host), team_(std::move(team)), first_(reachable.first), members_(reachable.count) {}

  /// Allocates as much as the rank that needs most. All ranks of the host call it together.
  cuda::Memory provide(std::size_t bytes) {
    std::erase_if(windows_, [](const auto& entry) { return entry.second.expired(); });
    const auto window =
        std::make_shared<Window>(host_, members_, team_->all_gather().largest(static_cast<Index>(bytes)));
    window->need();
    windows_[provided_] = window;
    ++provided_;
    return {window, window->own()};
  }

  static constexpr Index most_bytes = Index{1} << 44;  // of one window

  ncclComm_t host_;
  std::shared_ptr<Team> team_;
  int first_, members_;
  Index provided_ = 0;
  std::map<Index, std::weak_ptr<Window>> windows_;  // by the order of allocation, the same on all ranks
  cuda::Heap heap_{[this](std::size_t bytes) { return provide(bytes); }};
};

}  // namespace weft::inline v0_1::nccl
