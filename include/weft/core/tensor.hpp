// Tensor: dense float32 in host memory that it owns, for what files and users pass in and get back.
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

namespace weft::inline v0_1 {

using Shape = std::vector<Index>;

/// Returns a text such as "(2, 3)".
inline std::string to_string(const Shape& shape) {
  std::string out = "(";
  for (std::size_t d = 0; d < shape.size(); ++d) out += (d > 0 ? ", " : "") + std::to_string(shape[d]);
  return out + ")";
}

/// Returns the number of elements of a shape. Throws InvalidArgument if an extent is negative, or if the
/// number overflows.
inline Index element_count(const Shape& shape) {
  Index count = 1;
  for (const Index extent : shape) {
    if (extent < 0) reject("a tensor's shape is ", to_string(shape), ", and no extent may be negative");
    if (__builtin_mul_overflow(count, extent, &count))
      reject("a tensor's shape is ", to_string(shape), ", too large for any memory");
  }
  return count;
}

/// A dense tensor that owns its numbers. `data` holds as many as `shape` says: constructors ensure it, and
/// code that changes a member must keep it so; otherwise `view` and `at` throw std::logic_error, and engines
/// reject the tensor. Threads may read one tensor at once. Views are valid until it is destroyed or `data`
/// reallocates; moving it keeps them valid.
struct Tensor {
  Shape shape;
  std::vector<float> data;  // row-major

  Tensor() = default;
  /// Makes zeros. Throws InvalidArgument if the shape has no countable number of elements.
  explicit Tensor(Shape s) : shape(std::move(s)), data(static_cast<std::size_t>(element_count(shape))) {}
  /// Takes the values. Throws InvalidArgument unless they are as many as the shape says.
  Tensor(Shape s, std::vector<float> values) : shape(std::move(s)), data(std::move(values)) {
    if (!is_whole())
      reject("a tensor of shape ", to_string(shape), " has ", element_count(shape), " values, and ", size(),
             " are given");
  }

  Index size() const { return static_cast<Index>(data.size()); }
  bool empty() const { return data.empty(); }

  /// Returns whether `data` holds as many numbers as `shape` says; a tensor without a shape may hold one or
  /// none.
  bool is_whole() const { return shape.empty() ? size() <= 1 : size() == element_count(shape); }

  /// Returns the numbers, for a destination of `count`. Throws std::logic_error if they are more or fewer.
  const float* numbers(Index count) const {
    if (size() != count)
      throw std::logic_error(sentence("a tensor ", to_string(shape), " of ", size(),
                                      " numbers is copied to a place of ", count));
    return data.data();
  }

  /// Returns a copy of the tensor at index i of the first dimension. Throws std::logic_error if there is
  /// none.
  Tensor at(Index i) const {
    need_whole();
    if (shape.empty() || i < 0 || i >= shape.front())
      throw std::logic_error(sentence("a tensor ", to_string(shape), " has nothing at index ", i));
    Tensor out(Shape(shape.begin() + 1, shape.end()));
    std::copy_n(data.begin() + i * out.size(), out.size(), out.data.begin());
    return out;
  }

  /// Returns a view of all of it. Throws std::logic_error unless it has `Rank` dimensions.
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

}  // namespace weft::inline v0_1
