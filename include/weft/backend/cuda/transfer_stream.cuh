// TransferStream: a stream for transfers, beside those that compute.
#pragma once

#include <cuda_runtime.h>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/check.cuh"

namespace weft::inline v0_1::cuda {

using kernels::check;

/// A stream of the current device, of the greatest priority: other ranks wait for its transfers, so no
/// computation that is queued later may delay them.
class TransferStream {
 public:
  TransferStream() {
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "creating a stream");
    check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest), "creating a stream");
  }
  TransferStream(const TransferStream&) = delete;
  TransferStream& operator=(const TransferStream&) = delete;
  ~TransferStream() { cudaStreamDestroy(stream_); }

  cudaStream_t get() const { return stream_; }
  int device() const { return device_; }

 private:
  int device_ = current_device();
  cudaStream_t stream_ = nullptr;
};

}  // namespace weft::inline v0_1::cuda
