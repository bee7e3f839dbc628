// A message between ranks of one process on CUDA devices: a copy, ordered by events.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/backend/cuda/event.cuh"
#include "weft/comm/block.hpp"

namespace weft::peer {

using cuda::check;

/// A stream for transfers, beside those that compute.
class Lane {
 public:
  /// On the current device, of the greatest priority: other ranks wait for what it carries.
  Lane() {
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "Creating a stream");
    check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest), "Creating a stream");
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane() {
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
  }

  cudaStream_t get() const { return stream_; }
  int device() const { return device_; }

 private:
  int device_ = cuda::current_device();
  cudaStream_t stream_ = nullptr;
};

/// `ready` is when the block may be read, or written. The sender brings the stream, and the moments between
/// which the copy runs; the receiver learns its end.
struct Message {
  Block block;
  std::shared_ptr<const cuda::Event> ready;
  std::shared_ptr<const Lane> lane{};
  std::shared_ptr<const cuda::Event> begin{};  // null unless the time is asked for
  std::shared_ptr<const cuda::Event> end{};
  int to = -1;  // the receiver

  /// On the thread of either rank.
  static void deliver(const Message& from, Message& to) {
    const cuda::CurrentDevice sender(from.lane->device());
    const cudaStream_t stream = from.lane->get();
    from.ready->hold(stream);
    to.ready->hold(stream);
    if (from.begin) from.begin->record(stream);
    const auto [source, target] = in_equal_rows(from.block, to.block);
    check(
        cudaMemcpy2DAsync(target.data, static_cast<std::size_t>(target.stride), source.data,
                          static_cast<std::size_t>(source.stride), static_cast<std::size_t>(source.row_bytes),
                          static_cast<std::size_t>(source.rows), cudaMemcpyDefault, stream),
        "Sending a message");
    from.end->record(stream);
    to.end = from.end;
  }
};

}  // namespace weft::peer
