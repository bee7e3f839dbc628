// Exchange: numbers that the ranks of a communicator tell each other on the host.
#pragma once

#include <cuda_runtime.h>
#include <nccl.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "weft/comm/nccl/check.cuh"
#include "weft/core/range.hpp"

namespace weft::nccl {

/// For what is settled before the loop. It runs on a stream of its own, also while other streams record.
class Exchange {
 public:
  Exchange(ncclComm_t comm, int members) : comm_(comm), members_(static_cast<std::size_t>(members)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Creating a stream");
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    cudaStreamDestroy(stream_);
    cudaFree(device_);
    cudaFreeHost(host_);
  }

  /// All members call it with as many numbers; returns when it has those of every member, in their order.
  std::vector<std::vector<Index>> operator()(const std::vector<Index>& mine) {
    const std::size_t count = mine.size(), bytes = count * sizeof(Index);
    provide(count * members_);
    std::ranges::copy(mine, host_);
    check(cudaMemcpyAsync(device_, host_, bytes, cudaMemcpyHostToDevice, stream_), "Copying to the device");
    check(ncclAllGather(device_, device_ + count, bytes, ncclInt8, comm_, stream_), "exchanging numbers");
    check(cudaMemcpyAsync(host_, device_ + count, members_ * bytes, cudaMemcpyDeviceToHost, stream_),
          "Copying from the device");
    check(cudaStreamSynchronize(stream_), "Exchanging numbers");
    std::vector<std::vector<Index>> all;
    for (std::size_t member = 0; member < members_; ++member)
      all.emplace_back(host_ + member * count, host_ + (member + 1) * count);
    return all;
  }

  /// The largest of the members' numbers.
  Index most(Index mine) {
    Index out = mine;
    for (const std::vector<Index>& other : (*this)({mine})) out = std::max(out, other.front());
    return out;
  }

 private:
  /// Room for so many numbers, and for one member's.
  void provide(std::size_t count) {
    if (count <= room_) return;
    cudaFree(device_), cudaFreeHost(host_);
    check(cudaMalloc(&device_, 2 * count * sizeof(Index)), "Taking memory on the device");
    check(cudaMallocHost(&host_, count * sizeof(Index)), "Taking memory for copies");
    room_ = count;
  }

  ncclComm_t comm_;
  std::size_t members_;
  cudaStream_t stream_ = nullptr;
  Index *device_ = nullptr, *host_ = nullptr;
  std::size_t room_ = 0;
};

}  // namespace weft::nccl
