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
    const Index bytes = std::max<Index>(size, 1) * static_cast<Index>(sizeof(T));
    data_ = std::reinterpret_pointer_cast<T>(queue.take(bytes));
    if (data_)
      check(cudaMemsetAsync(data_.get(), 0, static_cast<std::size_t>(bytes), queue.stream()),
            "Zeroing memory");
  }

  Index size() const { return size_; }

  template <std::size_t Rank>
  View<T, static_cast<int>(Rank)> view(const std::array<Index, Rank>& extents) const {
    return {data_.get(), extents};
  }

 private:
  std::shared_ptr<T> data_;
  Index size_ = 0;
};

}  // namespace weft::cuda
