// Arena: one buffer for many tensors, measured before it is allocated.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "weft/core/view.hpp"

namespace weft::inline v0_1 {

/// Slices of one buffer. A first pass takes all tensors to measure them, `allocate` makes the buffer, and a
/// second pass takes the same tensors in the same order.
template <class B>
class Arena {
 public:
  using Bytes = typename B::template Buffer<std::byte>;

  /// Returns the next slice; while measuring, a null view with these extents.
  template <class T, std::size_t Rank>
  View<T, static_cast<int>(Rank)> take(const std::array<Index, Rank>& extents) {
    constexpr Index alignment = 256;  // the most that any matrix product asks for
    View<T, static_cast<int>(Rank)> out(nullptr, extents);
    if (is_allocated()) out.data = reinterpret_cast<T*>(bytes_.view(std::array{bytes_.size()}).data + used_);
    used_ += (out.size() * static_cast<Index>(sizeof(T)) + alignment - 1) / alignment * alignment;
    return out;
  }

  /// Returns the bytes that have been taken so far.
  Index used() const { return used_; }

  /// Allocates the bytes that have been taken so far, to be taken again.
  void allocate(typename B::Queue& queue) { bytes_ = {queue, std::exchange(used_, 0)}; }
  bool is_allocated() const { return bytes_.size() > 0; }

  /// Returns the buffer, which must outlive all that was taken.
  [[nodiscard]] Bytes release() { return std::move(bytes_); }

 private:
  Bytes bytes_;
  Index used_ = 0;
};

}  // namespace weft::inline v0_1
