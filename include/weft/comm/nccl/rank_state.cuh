// RankState: state that all communicators of a rank share.
#pragma once

#include <nccl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "weft/backend/cuda/transfer_stream.cuh"
#include "weft/comm/communicator.hpp"
#include "weft/comm/nccl/check.cuh"
#include "weft/comm/nccl/host_heap.cuh"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1::nccl {

class RankState {
 public:
  /// Returns a sentence about a communicator that has failed, or nothing. May be called from any thread.
  std::string failure() const {
    std::lock_guard lock(mutex_);
    for (const auto& [comm, name] : communicators_) {
      ncclResult_t result = ncclSuccess;
      const ncclResult_t status = ncclCommGetAsyncError(comm, &result);
      if (status != ncclSuccess) result = status;
      if (result == ncclSuccess || result == ncclInProgress) continue;
      return sentence("the communicator ", name, " of NCCL has failed: ", ncclGetErrorString(result));
    }
    return {};
  }

  void add(ncclComm_t comm, const std::string& name) {
    std::lock_guard lock(mutex_);
    communicators_[comm] = name;
  }
  void remove(ncclComm_t comm) {
    std::lock_guard lock(mutex_);
    communicators_.erase(comm);
  }

  /// Notes what is being posted on a communicator, for `doing`.
  void begin(const std::string& name, const char* what, int peer) {
    Lane::Activity doing{.category = what, .number = peer};
    name.copy(doing.name.data(), doing.name.size() - 1);
    activity_.begin(doing);
  }
  /// Returns what was posted last. May be called from any thread.
  std::string doing() const { return activity_.doing(); }

  Lane* lane = nullptr;  // of the trace; null without one
  TrafficByName traffic;
  cuda::TransferStream transfers;  // for all messages that copy engines carry
  std::unique_ptr<HostHeap> heap;  // null where no other rank can access this one's memory

 private:
  Lane activity_ = Lane::without_slices();
  mutable std::mutex mutex_;
  std::map<ncclComm_t, std::string> communicators_;  // that exist, with their names; guarded by mutex_
};

}  // namespace weft::inline v0_1::nccl
