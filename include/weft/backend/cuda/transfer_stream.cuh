// TransferStream: a stream for transfers, beside those that compute; and the copies on it.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/check.cuh"
#include "weft/comm/strided_bytes.hpp"

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

/// Queues a copy of all bytes of `from`, in order, to those of `to`, by copy engines. There are as many; rows
/// that differ on both sides are a logic error.
inline void copy_rows(cudaStream_t stream, const StridedBytes& from, const StridedBytes& to) {
  const auto [source, target] = in_equal_rows(from, to);
  check(cudaMemcpy2DAsync(target.data, static_cast<std::size_t>(target.stride), source.data,
                          static_cast<std::size_t>(source.stride), static_cast<std::size_t>(source.row_bytes),
                          static_cast<std::size_t>(source.rows), cudaMemcpyDefault, stream),
        "copying between ranks");
}

}  // namespace weft::inline v0_1::cuda
