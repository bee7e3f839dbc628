// Buffers without memory: their bytes are counted, and their views must not be read or written.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

#include "weft/backend/counting/queue.hpp"
#include "weft/core/unset.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1::counting {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Queue& queue, Index size)
      : memory_(queue.shared_memory()), size_(size), data_(reinterpret_cast<T*>(memory_->take(bytes()))) {
    queue.count_allocation();
  }
  Buffer(Queue& queue, Index size, Unset) : Buffer(queue, size) {}
  Buffer(Buffer&& other) noexcept
      : memory_(std::move(other.memory_)),
        size_(std::exchange(other.size_, 0)),
        data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
    Buffer(std::move(other)).release();
    return *this;
  }
  ~Buffer() { release(); }

  Index size() const { return size_; }
  /// Returns the count of the queue's buffers, or null for a buffer that was never given memory.
  const Memory* memory() const { return memory_.get(); }

  template <std::size_t Rank>
  View<T, static_cast<int>(Rank)> view(const std::array<Index, Rank>& extents) const {
    return {data_, extents};
  }

 private:
  Index bytes() const { return size_ * static_cast<Index>(sizeof(T)); }
  void release() {
    if (memory_) memory_->give(bytes());
    memory_.reset();
    size_ = 0;
    data_ = nullptr;
  }

  std::shared_ptr<Memory> memory_;
  Index size_ = 0;
  T* data_ = nullptr;
};

}  // namespace weft::inline v0_1::counting
