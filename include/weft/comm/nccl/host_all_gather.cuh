// HostAllGather: an all-gather of numbers on the host, over NCCL.
#pragma once

#include <cuda_runtime.h>
#include <nccl.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "weft/comm/nccl/check.cuh"
#include "weft/core/range.hpp"

namespace weft::inline v0_1::nccl {

/// Used before the denoising loop. Runs on a stream of its own, also while other streams record. The
/// communicator must outlive it.
class HostAllGather {
 public:
  HostAllGather(ncclComm_t comm, int members) : comm_(comm), members_(static_cast<std::size_t>(members)) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Creating a stream");
  }
  HostAllGather(const HostAllGather&) = delete;
  HostAllGather& operator=(const HostAllGather&) = delete;
  ~HostAllGather() {
    cudaStreamDestroy(stream_);
    cudaFree(device_);
    cudaFreeHost(host_);
  }

  /// Returns the numbers of every member, in their order. All members call it, with as many numbers.
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

  /// Returns the largest of the members' numbers. All members call it.
  Index largest(Index mine) {
    Index out = mine;
    for (const std::vector<Index>& other : (*this)({mine})) out = std::max(out, other.front());
    return out;
  }

 private:
  /// Makes room for `count` numbers, and on the device for one member's besides.
  void provide(std::size_t count) {
    if (count <= room_) return;
    cudaFree(device_);
    cudaFreeHost(host_);
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

}  // namespace weft::inline v0_1::nccl
