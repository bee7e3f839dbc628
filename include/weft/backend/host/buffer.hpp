// Memory on the host, zeroed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>

#include "weft/backend/host/queue.hpp"
#include "weft/core/unset.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1::host {

/// An array of T that owns its memory. Views of it are valid as long as it lives; moving it keeps them valid.
/// It may outlive its queue.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Queue& queue, Index size)
      : data_(new (alignment) T[static_cast<std::size_t>(std::max<Index>(size, 1))]()), size_(size) {
    queue.count_allocation();
  }

  Buffer(Queue& queue, Index size, Unset) : Buffer(queue, size) {}

  Index size() const { return size_; }

  template <std::size_t Rank>
  View<T, static_cast<int>(Rank)> view(const std::array<Index, Rank>& extents) const {
    return {data_.get(), extents};
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(T* pointer) const { ::operator delete[](pointer, alignment); }
  };
  std::unique_ptr<T[], Free> data_;
  Index size_ = 0;
};

}  // namespace weft::inline v0_1::host
