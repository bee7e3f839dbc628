// Slab: which parts of a piece of memory are free.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

namespace weft::inline v0_1::cuda {

/// Hands out parts of `size` bytes of memory, as offsets that are multiples of 256, from both ends in turn:
/// an operator's output is taken while its input is there, and outlives it, so what becomes free lies
/// together.
class Slab {
 public:
  explicit Slab(std::size_t size) : size_(rounded(size)) {
    if (size > 0) free_.emplace(0, size_);
  }

  /// Returns where the part begins; nothing where no free stretch holds it.
  [[nodiscard]] std::optional<std::size_t> take(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    const auto fits = [size](const auto& stretch) { return stretch.second >= size; };
    const bool is_low = std::exchange(takes_low_, !takes_low_);
    auto at = std::find_if(free_.begin(), free_.end(), fits);
    if (at == free_.end()) return std::nullopt;
    if (!is_low) at = std::prev(std::find_if(free_.rbegin(), free_.rend(), fits).base());
    const auto [offset, length] = *at;
    free_.erase(at);
    if (length > size) free_.emplace(is_low ? offset + size : offset, length - size);
    return is_low ? offset : offset + length - size;
  }

  /// Takes back a part of so many bytes, and joins it with the free stretches beside it.
  void give_back(std::size_t offset, std::size_t bytes) {
    auto at = free_.emplace(offset, rounded(bytes)).first;
    if (const auto next = std::next(at); next != free_.end() && at->first + at->second == next->first) {
      at->second += next->second;
      free_.erase(next);
    }
    if (at == free_.begin()) return;
    const auto before = std::prev(at);
    if (before->first + before->second != at->first) return;
    before->second += at->second;
    free_.erase(at);
  }

  std::size_t size() const { return size_; }

 private:
  static std::size_t rounded(std::size_t bytes) {
    constexpr std::size_t alignment = 256;
    return (bytes + alignment - 1) / alignment * alignment;
  }

  std::size_t size_;
  bool takes_low_ = true;
  std::map<std::size_t, std::size_t> free_;  // lengths by offset; no two stretches touch
};

}  // namespace weft::inline v0_1::cuda
