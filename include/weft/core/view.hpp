// View: a tensor in memory that it does not own, with strides in elements and a dense last dimension.
#pragma once

#include <array>
#include <type_traits>

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// `Rank` extents and strides over memory of the host or of a device, which must outlive the view. The last
/// stride is always 1. Copies are cheap and refer to the same elements; a const View of a mutable T may
/// write.
template <class T, int Rank>
struct View {
  T* data = nullptr;
  std::array<Index, Rank> extent{};
  std::array<Index, Rank> stride{};

  constexpr View() = default;

  /// Makes a row-major, dense view.
  constexpr View(T* pointer, std::array<Index, Rank> extents) : data(pointer), extent(extents) {
    Index elements = 1;
    for (int d = Rank - 1; d >= 0; --d) {
      stride[d] = elements;
      elements *= extent[d];
    }
  }

  constexpr View(T* pointer, std::array<Index, Rank> extents, std::array<Index, Rank> strides)
      : data(pointer), extent(extents), stride(strides) {}

  template <class Mutable = T>
  requires(!std::is_const_v<Mutable> && std::is_same_v<Mutable, T>) constexpr
  operator View<const Mutable, Rank>() const {
    return {data, extent, stride};
  }

  constexpr Index size() const {
    Index n = 1;
    for (Index e : extent) n *= e;
    return n;
  }
  constexpr bool empty() const { return size() == 0; }

  /// Returns whether elements lie row-major and without gaps.
  constexpr bool dense() const {
    Index elements = 1;
    for (int d = Rank - 1; d >= 0; --d) {
      if (extent[d] > 1 && stride[d] != elements) return false;
      elements *= extent[d];
    }
    return true;
  }

  /// Returns element i of a vector, or the sub-view at index i of the first dimension.
  constexpr decltype(auto) operator[](Index i) const {
    if constexpr (Rank == 1) {
      return (data[i]);
    } else {
      View<T, Rank - 1> sub;
      sub.data = data + i * stride[0];
      for (int d = 1; d < Rank; ++d) {
        sub.extent[d - 1] = extent[d];
        sub.stride[d - 1] = stride[d];
      }
      return sub;
    }
  }

  /// Returns the view with dimension `D` cut to `range`.
  template <int D>
  constexpr View slice(Range range) const {
    static_assert(0 <= D && D < Rank);
    View out = *this;
    out.data += range.begin * stride[D];
    out.extent[D] = range.size();
    return out;
  }

  /// Returns (..., n) as (..., n / inner, inner): features as heads.
  constexpr View<T, Rank + 1> unfold(Index inner) const {
    View<T, Rank + 1> out;
    out.data = data;
    for (int d = 0; d < Rank; ++d) {
      out.extent[d] = extent[d];
      out.stride[d] = stride[d];
    }
    out.extent[Rank - 1] = extent[Rank - 1] / inner;
    out.stride[Rank - 1] = inner;
    out.extent[Rank] = inner;
    out.stride[Rank] = 1;
    return out;
  }

  /// Returns (..., h, d) as (..., h · d); the last two dimensions must be dense.
  constexpr View<T, Rank - 1> fold() const requires(Rank > 1) {
    View<T, Rank - 1> out;
    out.data = data;
    for (int d = 0; d < Rank - 1; ++d) {
      out.extent[d] = extent[d];
      out.stride[d] = stride[d];
    }
    out.extent[Rank - 2] *= extent[Rank - 1];
    out.stride[Rank - 2] = 1;
    return out;
  }
};

/// A view that operators read: not deduced, so that a `View<T, R>` converts to it.
template <class T, int Rank>
using In = std::type_identity_t<View<const T, Rank>>;

}  // namespace weft::inline v0_1
