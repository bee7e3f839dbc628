// TransferStream: a stream for what travels, beside those that compute.
#pragma once

#include <cuda_runtime.h>

#include "weft/check.cuh"

namespace weft::nccl {

using kernels::check;

/// Of the greatest priority, so that no computation that is queued later holds it up.
class TransferStream {
 public:
  TransferStream() {
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "Asking for priorities");
    check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest), "Creating a stream");
  }
  TransferStream(const TransferStream&) = delete;
  TransferStream& operator=(const TransferStream&) = delete;
  ~TransferStream() { cudaStreamDestroy(stream_); }

  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace weft::nccl
