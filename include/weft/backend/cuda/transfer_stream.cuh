// TransferStream: a stream for what travels, beside those that compute.
#pragma once

#include <cuda_runtime.h>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/check.cuh"

namespace weft::cuda {

using kernels::check;

/// On the device that was current, of the greatest priority: other ranks wait for what it carries, and no
/// computation that is queued later holds it up.
class TransferStream {
 public:
  TransferStream() {
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "Creating a stream");
    check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest), "Creating a stream");
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

}  // namespace weft::cuda
