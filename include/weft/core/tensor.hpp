// Tensor: dense float32 on the host that owns its memory; what files and users hand in and get back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/view.hpp"

namespace weft {

using Shape = std::vector<Index>;

inline std::string to_string(const Shape& shape) {
  std::string out = "(";
  for (std::size_t d = 0; d < shape.size(); ++d) out += (d ? ", " : "") + std::to_string(shape[d]);
  return out + ")";
}

/// How many elements a tensor of that shape has. Throws InvalidArgument if an extent is negative, or they are
/// too many to be counted.
inline Index element_count(const Shape& shape) {
  Index count = 1;
  for (const Index extent : shape) {
    if (extent < 0) reject("a tensor's shape is ", to_string(shape), ", and no extent may be negative");
    if (__builtin_mul_overflow(count, extent, &count))
      reject("a tensor's shape is ", to_string(shape), ", too large for any memory");
  }
  return count;
}

/// `data` holds as many numbers as `shape` says: constructors see to it, and whatever changes a member must
/// leave it so. What reads a tensor as its shape says, as `view` and `at` do, throws std::logic_error if it
/// is broken; what an engine is given is rejected then.
struct Tensor {
  Shape shape;
  std::vector<float> data;  // row-major

  Tensor() = default;
  /// Zeros. Throws InvalidArgument if the shape is none.
  explicit Tensor(Shape s) : shape(std::move(s)), data(static_cast<std::size_t>(element_count(shape))) {}
  /// Throws InvalidArgument if there are more values, or fewer, than the shape says.
  Tensor(Shape s, std::vector<float> values) : shape(std::move(s)), data(std::move(values)) {
    if (!is_whole())
      reject("a tensor of shape ", to_string(shape), " has ", element_count(shape), " values, and ", size(),
             " are given");
  }

  Index size() const { return static_cast<Index>(data.size()); }
  bool empty() const { return data.empty(); }

  /// Whether `data` holds as many numbers as `shape` says; the tensor without shape holds none.
  bool is_whole() const { return shape.empty() ? size() <= 1 : size() == element_count(shape); }

  /// The numbers, for what has room for so many; throws std::logic_error if they are more or fewer.
  const float* numbers(Index count) const {
    if (size() != count)
      throw std::logic_error(sentence("a tensor ", to_string(shape), " of ", size(),
                                      " numbers is copied to a place of ", count));
    return data.data();
  }

  /// The tensor at index i of the first dimension, copied.
  Tensor at(Index i) const {
    need_whole();
    if (shape.empty() || i < 0 || i >= shape.front())
      throw std::logic_error(sentence("a tensor ", to_string(shape), " has nothing at index ", i));
    Tensor out(Shape(shape.begin() + 1, shape.end()));
    std::copy_n(data.begin() + i * out.size(), out.size(), out.data.begin());
    return out;
  }

  /// All of it; `Rank` must be the number of its dimensions.
  template <int Rank>
  View<float, Rank> view() {
    return {data.data(), extents<Rank>()};
  }
  template <int Rank>
  View<const float, Rank> view() const {
    return {data.data(), extents<Rank>()};
  }

 private:
  void need_whole() const {
    if (!is_whole())
      throw std::logic_error(
          sentence("a tensor's shape is ", to_string(shape), ", and its data are ", size(), " numbers"));
  }

  template <int Rank>
  std::array<Index, Rank> extents() const {
    need_whole();
    if (shape.size() != Rank)
      throw std::logic_error(sentence("a tensor ", to_string(shape), " is viewed as one of ", Rank,
                                      Rank == 1 ? " dimension" : " dimensions"));
    std::array<Index, Rank> out{};
    std::copy_n(shape.begin(), Rank, out.begin());
    return out;
  }
};

}  // namespace weft
