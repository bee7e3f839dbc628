// HostMessages: sends and receives host memory over NCCL.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>

#include "weft/backend/cuda/host_copy.cuh"
#include "weft/comm/nccl.cuh"

namespace weft::inline v0_1::nccl {

/// Small messages outside of the denoising loop. Satisfies SendReceive. The world must outlive it.
class HostMessages {
 public:
  struct Queue : cuda::Queue {};
  struct Event {};

  explicit HostMessages(World& world) : world_(world) {}

  int rank() const { return world_.rank(); }
  int size() const { return world_.size(); }

  /// Send or receive, and return when that is complete.
  [[nodiscard]] Event send(Queue& queue, const StridedBytes& piece, int to) {
    std::byte* const memory = device_memory(piece);
    cuda::copy_from_host(memory, piece.data, static_cast<std::size_t>(piece.bytes()));
    nccl::Event event = world_.send(queue, View<std::byte, 1>(memory, {piece.bytes()}), to);
    finish(queue, event);
    return {};
  }
  [[nodiscard]] Event receive(Queue& queue, const StridedBytes& piece, int from) {
    std::byte* const memory = device_memory(piece);
    nccl::Event event = world_.receive(queue, View<std::byte, 1>(memory, {piece.bytes()}), from);
    finish(queue, event);
    check(cudaMemcpy(piece.data, memory, static_cast<std::size_t>(piece.bytes()), cudaMemcpyDeviceToHost),
          "Copying from the device");
    return {};
  }
  void wait(Queue&, Event&) {}

 private:
  struct Free {
    void operator()(std::byte* pointer) const { cudaFree(pointer); }
  };

  /// Returns device memory of at least the size of a piece, which is dense.
  std::byte* device_memory(const StridedBytes& piece) {
    if (piece.bytes() > size_) {
      void* memory = nullptr;
      check(cudaMalloc(&memory, static_cast<std::size_t>(piece.bytes())), "Taking memory on the device");
      memory_.reset(static_cast<std::byte*>(memory));
      size_ = piece.bytes();
    }
    return memory_.get();
  }

  void finish(Queue& queue, nccl::Event& event) {
    world_.wait(queue, event);
    queue.synchronize();
  }

  World& world_;
  Index size_ = 0;
  std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace weft::inline v0_1::nccl
