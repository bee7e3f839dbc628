// Memory on a CUDA device, taken once and zeroed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

#include "weft/backend/cuda/queue.cuh"
#include "weft/core/view.hpp"

namespace weft::cuda {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Queue& queue, Index size) : size_(size) {
    void* memory = nullptr;
    const std::size_t bytes = static_cast<std::size_t>(std::max<Index>(size, 1)) * sizeof(T);
    check(cudaMalloc(&memory, bytes), "Taking memory on the device");
    data_.reset(static_cast<T*>(memory));
    check(cudaMemsetAsync(memory, 0, bytes, queue.stream()), "Zeroing memory");
    queue.count_allocation();
  }

  Index size() const { return size_; }

  template <std::size_t Rank>
  View<T, static_cast<int>(Rank)> view(const std::array<Index, Rank>& extents) const {
    return {data_.get(), extents};
  }

 private:
  struct Free {
    void operator()(T* pointer) const { cudaFree(pointer); }
  };
  std::unique_ptr<T, Free> data_;
  Index size_ = 0;
};

}  // namespace weft::cuda
