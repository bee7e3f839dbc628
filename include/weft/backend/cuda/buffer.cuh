// Buffer: an array on a CUDA device.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "weft/backend/cuda/queue.cuh"
#include "weft/core/unset.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1::cuda {

/// Memory of a queue, zeroed unless it is `unset`, for work on that queue. It is freed in the order of the
/// queue, so work that is queued before may still use it; it may outlive the queue.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Queue& queue, Index size) : Buffer(queue, size, unset) {
    if (!memory_) return;  // a heap is measuring
    check(cudaMemsetAsync(memory_.get(), 0, static_cast<std::size_t>(size) * sizeof(T), queue.stream()),
          "zeroing memory");
  }
  Buffer(Queue& queue, Index size, Unset)
      : memory_(queue.take(static_cast<std::size_t>(std::max<Index>(size, 1)) * sizeof(T))), size_(size) {}
  Buffer(Buffer&&) = default;
  Buffer& operator=(Buffer&&) = default;

  Index size() const { return size_; }

  template <std::size_t Rank>
  View<T, static_cast<int>(Rank)> view(const std::array<Index, Rank>& extents) const {
    return {static_cast<T*>(memory_.get()), extents};
  }

 private:
  Memory memory_;
  Index size_ = 0;
};

}  // namespace weft::inline v0_1::cuda
