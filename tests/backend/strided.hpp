// Tensors on the host with gaps between their rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "conformance/placed.hpp"
#include "weft/core/view.hpp"

using weft::Index;
using weft::View;

/// A tensor with `gap` unused elements after each row, and after each row of rows.
template <int Rank, class T = float>
class Strided {
 public:
  explicit Strided(const std::array<Index, Rank>& extents, Index gap = 0) : extents_(extents) {
    Index size = 1;
    for (std::size_t d = Rank; d-- > 0;) {
      strides_[d] = size;
      size = size * extents[d] + gap;
    }
    data_.assign(static_cast<std::size_t>(size), sentinel);
  }

  /// Makes a tensor of nearly normal numbers that depend on the seed.
  static Strided random(unsigned seed, const std::array<Index, Rank>& extents, Index gap = 0) {
    Strided out(extents, gap);
    conformance::NearlyNormal normal(seed);
    out.for_each([&](T& x) { x = static_cast<T>(normal()); });
    return out;
  }

  View<T, Rank> view() { return {data_.data(), extents_, strides_}; }
  View<const T, Rank> view() const { return {data_.data(), extents_, strides_}; }
  operator View<T, Rank>() { return view(); }

  bool gaps_untouched() const {
    Strided copy = *this;
    copy.for_each([](T& x) { x = sentinel; });
    return std::count(copy.data_.begin(), copy.data_.end(), sentinel) == static_cast<Index>(data_.size());
  }

 private:
  static constexpr T sentinel = 12345;

  template <class Body>
  void for_each(Body body) {
    visit(view(), body);
  }
  template <int R, class Body>
  static void visit(const View<T, R>& x, Body& body) {
    for (Index i = 0; i < x.extent[0]; ++i) {
      if constexpr (R == 1) {
        body(x[i]);
      } else {
        visit(x[i], body);
      }
    }
  }

  std::array<Index, Rank> extents_, strides_{};
  std::vector<T> data_;
};

using conformance::error;
