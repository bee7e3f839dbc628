// Staging: pinned memory through which numbers go from the host to a CUDA device and back.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "weft/check.cuh"

namespace weft::inline v0_1::cuda {

using kernels::check;

/// The staging memory of one stream. Sending waits only when transfers in flight fill it.
class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() { cudaFreeHost(data_); }

  /// Queues a copy on the stream; `from` has been read when this returns.
  void send(cudaStream_t stream, const void* from, void* to, std::size_t bytes) {
    if (used_ + bytes > size_) make_room(stream, bytes);
    std::byte* const room = data_ + used_;
    used_ += bytes;
    std::memcpy(room, from, bytes);
    check(cudaMemcpyAsync(to, room, bytes, cudaMemcpyHostToDevice, stream), "copying to the device");
  }

  /// Copies to the host what the stream has computed; waits for all that was queued.
  void fetch(cudaStream_t stream, const void* from, void* to, std::size_t bytes) {
    make_room(stream, std::min(bytes, least_bytes));
    for (std::size_t begin = 0; begin < bytes; begin += size_) {
      const std::size_t size = std::min(bytes - begin, size_);
      check(cudaMemcpyAsync(data_, static_cast<const std::byte*>(from) + begin, size, cudaMemcpyDeviceToHost,
                            stream),
            "copying from the device");
      check(cudaStreamSynchronize(stream), "copying from the device");
      std::memcpy(static_cast<std::byte*>(to) + begin, data_, size);
    }
  }

 private:
  static constexpr std::size_t least_bytes = 16 << 20;  // a request's prompts

  void make_room(cudaStream_t stream, std::size_t bytes) {
    check(cudaStreamSynchronize(stream), "copying to the device");
    used_ = 0;
    if (bytes <= size_) return;
    check(cudaFreeHost(data_), "freeing pinned memory");
    data_ = nullptr;
    size_ = 0;
    void* memory = nullptr;
    const std::size_t size = std::max(bytes, least_bytes);
    check(cudaMallocHost(&memory, size), "taking pinned memory");
    data_ = static_cast<std::byte*>(memory);
    size_ = size;
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0, used_ = 0;
};

}  // namespace weft::inline v0_1::cuda
