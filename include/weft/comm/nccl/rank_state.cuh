// Home: what all communicators of a rank share.
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

namespace weft::nccl {

class Home {
 public:
  /// What went wrong in the meantime on a communicator that lives; empty if nothing did. From any thread.
  std::string failure() const {
    std::lock_guard lock(mutex_);
    for (const auto& [comm, name] : living_) {
      ncclResult_t result = ncclSuccess;
      const ncclResult_t asked = ncclCommGetAsyncError(comm, &result);
      if (asked != ncclSuccess) result = asked;
      if (result == ncclSuccess || result == ncclInProgress) continue;
      return sentence("the communicator ", name, " of NCCL has failed: ", ncclGetErrorString(result));
    }
    return {};
  }

  void add(ncclComm_t comm, const std::string& name) {
    std::lock_guard lock(mutex_);
    living_[comm] = name;
  }
  void remove(ncclComm_t comm) {
    std::lock_guard lock(mutex_);
    living_.erase(comm);
  }

  /// What is being posted on a communicator, for reports of what the rank does.
  void begin(const std::string& name, const char* what, int peer) {
    Lane::Activity doing{.category = what, .number = peer};
    name.copy(doing.name.data(), doing.name.size() - 1);
    activity_.begin(doing);
  }
  std::string doing() const { return activity_.doing(); }

  Lane* lane = nullptr;  // of the trace
  TrafficByName traffic;
  cuda::TransferStream transfers;  // of all messages that copy engines carry
  std::unique_ptr<HostHeap> heap;  // null where no other rank reaches this one's memory

 private:
  Lane activity_ = Lane::without_slices();
  mutable std::mutex mutex_;
  std::map<ncclComm_t, std::string> living_;
};

}  // namespace weft::nccl
