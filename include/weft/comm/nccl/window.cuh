// Window: memory that ranks of one host access by loads, stores and copies, mapped by NCCL.
#pragma once

#include <nccl.h>

#include <cstddef>
#include <stdexcept>
#include <vector>

#include "weft/comm/nccl/check.cuh"
#include "weft/core/range.hpp"

#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 0)
#define WEFT_NCCL_HAS_WINDOWS 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <nccl_device.h>
#pragma GCC diagnostic pop
#else
#define WEFT_NCCL_HAS_WINDOWS 0
#endif

namespace weft::inline v0_1::nccl {

#if WEFT_NCCL_HAS_WINDOWS

/// The ranks of a communicator that can access each other's memory, which are consecutive: NCCL's load/store
/// accessible team. A team of one where the library's version is not that of the headers.
struct Reachable {
  int first = 0, count = 1;

  Reachable(ncclComm_t comm, int rank) : first(rank) {
    int version = 0;
    check(ncclGetVersion(&version), "asking for its version");
    if (version / 100 != NCCL_VERSION_CODE / 100) return;
    const ncclTeam_t team = ncclTeamLsa(comm);
    first = ncclTeamRankToWorld(comm, team, 0);
    count = team.nRanks;
  }
};

namespace detail {

static __global__ void point_to_members(ncclWindow_t window, int members, std::byte** out) {
  for (int member = 0; member < members; ++member)
    out[member] = static_cast<std::byte*>(ncclGetLsaPointer(window, 0, member));
}

}  // namespace detail

/// As many zeroed bytes on every rank of a communicator whose ranks can all access each other's memory. The
/// communicator must outlive it.
class Window {
 public:
  /// Allocates and maps the memory. All ranks call it at the same time. Empty where NCCL cannot map memory of
  /// other processes.
  Window(ncclComm_t comm, int members, Index bytes) : comm_(comm), bytes_(bytes) {
    void* memory = nullptr;
    check(ncclMemAlloc(&memory, static_cast<std::size_t>(bytes)), "taking memory that ranks share");
    memory_ = static_cast<std::byte*>(memory);
    check(cudaMemset(memory, 0, static_cast<std::size_t>(bytes)), "Zeroing memory");
    check(cudaDeviceSynchronize(), "Zeroing memory");
    if (ncclCommWindowRegister(comm, memory, static_cast<std::size_t>(bytes), &window_,
                               NCCL_WIN_COLL_SYMMETRIC) != ncclSuccess)
      window_ = nullptr;
    if (window_) find_members(members);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  ~Window() {
    if (window_) ncclCommWindowDeregister(comm_, window_);
    ncclMemFree(memory_);
  }

  bool empty() const { return window_ == nullptr; }
  /// Throws std::runtime_error if it is empty, though an earlier window of these ranks was not.
  void need() const {
    if (empty())
      throw std::runtime_error(sentence("NCCL could not share ", bytes_,
                                        " bytes among the ranks of this host: ", ncclGetLastError(comm_)));
  }
  /// Returns a member's memory, in this rank's address space.
  std::byte* of(int member) const { return members_[static_cast<std::size_t>(member)]; }
  std::byte* own() const { return memory_; }
  bool holds(const std::byte* address) const { return memory_ <= address && address < memory_ + bytes_; }

 private:
  void find_members(int members) {
    const std::size_t bytes = static_cast<std::size_t>(members) * sizeof(std::byte*);
    std::byte** found = nullptr;
    check(cudaMalloc(&found, bytes), "Taking memory on the device");
    detail::point_to_members<<<1, 1>>>(window_, members, found);
    members_.resize(static_cast<std::size_t>(members));
    check(cudaMemcpy(members_.data(), found, bytes, cudaMemcpyDeviceToHost), "Finding memory of other ranks");
    check(cudaFree(found), "Freeing memory on the device");
  }

  ncclComm_t comm_;
  Index bytes_;
  std::byte* memory_ = nullptr;
  ncclWindow_t window_ = nullptr;
  std::vector<std::byte*> members_;
};

#else

struct Reachable {
  int first = 0, count = 1;

  Reachable(ncclComm_t, int rank) : first(rank) {}
};

class Window {
 public:
  Window(ncclComm_t, int, Index) {}

  bool empty() const { return true; }
  void need() const {}
  std::byte* of(int) const { return nullptr; }
  std::byte* own() const { return nullptr; }
  bool holds(const std::byte*) const { return false; }
};

#endif

}  // namespace weft::inline v0_1::nccl
