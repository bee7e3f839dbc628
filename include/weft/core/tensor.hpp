// Tensor: dense float32 on the host that owns its memory; what files and users hand in and get back.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "weft/core/view.hpp"

namespace weft {

using Shape = std::vector<Index>;

inline Index element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), Index{1}, std::multiplies<>{});
}

inline std::string to_string(const Shape& shape) {
  std::string out = "(";
  for (std::size_t d = 0; d < shape.size(); ++d) out += (d ? ", " : "") + std::to_string(shape[d]);
  return out + ")";
}

struct Tensor {
  Shape shape;
  std::vector<float> data;  // row-major

  Tensor() = default;
  explicit Tensor(Shape s) : shape(std::move(s)), data(element_count(shape)) {}
  Tensor(Shape s, std::vector<float> values) : shape(std::move(s)), data(std::move(values)) {}

  Index size() const { return static_cast<Index>(data.size()); }
  bool empty() const { return data.empty(); }

  /// The tensor at index i of the first dimension, copied.
  Tensor at(Index i) const {
    Tensor out(Shape(shape.begin() + 1, shape.end()));
    std::copy_n(data.begin() + i * out.size(), out.size(), out.data.begin());
    return out;
  }

  template <int Rank>
  View<float, Rank> view() {
    return {data.data(), extents<Rank>()};
  }
  template <int Rank>
  View<const float, Rank> view() const {
    return {data.data(), extents<Rank>()};
  }

 private:
  template <int Rank>
  std::array<Index, Rank> extents() const {
    std::array<Index, Rank> out{};
    std::copy_n(shape.begin(), Rank, out.begin());
    return out;
  }
};

}  // namespace weft
