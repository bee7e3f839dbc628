// View: a tensor that somebody else owns, with strides in elements and a dense last dimension.
#pragma once

#include <array>
#include <type_traits>

#include "weft/core/range.hpp"

namespace weft {

/// `Rank` extents and strides over memory on the host or on a device. The last stride is always 1.
template <class T, int Rank>
struct View {
  T* data = nullptr;
  std::array<Index, Rank> extent{};
  std::array<Index, Rank> stride{};

  constexpr View() = default;

  /// Row-major and dense.
  constexpr View(T* pointer, std::array<Index, Rank> extents) : data(pointer), extent(extents) {
    Index step = 1;
    for (int d = Rank - 1; d >= 0; --d) stride[d] = step, step *= extent[d];
  }

  constexpr View(T* pointer, std::array<Index, Rank> extents, std::array<Index, Rank> strides)
      : data(pointer), extent(extents), stride(strides) {}

  template <class Mutable = T>
  requires(!std::is_const_v<Mutable>) constexpr operator View<const Mutable, Rank>() const {
    return {data, extent, stride};
  }

  constexpr Index size() const {
    Index n = 1;
    for (Index e : extent) n *= e;
    return n;
  }
  constexpr bool empty() const { return size() == 0; }

  constexpr bool dense() const {
    Index step = 1;
    for (int d = Rank - 1; d >= 0; --d) {
      if (extent[d] > 1 && stride[d] != step) return false;
      step *= extent[d];
    }
    return true;
  }

  /// Element i of a vector, or the sub-view at index i of the first dimension.
  constexpr decltype(auto) operator[](Index i) const {
    if constexpr (Rank == 1) {
      return (data[i]);
    } else {
      View<T, Rank - 1> sub;
      sub.data = data + i * stride[0];
      for (int d = 1; d < Rank; ++d) sub.extent[d - 1] = extent[d], sub.stride[d - 1] = stride[d];
      return sub;
    }
  }

  /// The same rank, dimension `D` cut to `range`.
  template <int D>
  constexpr View slice(Range range) const {
    static_assert(0 <= D && D < Rank);
    View out = *this;
    out.data += range.begin * stride[D];
    out.extent[D] = range.size();
    return out;
  }

  /// (..., n) as (..., n / inner, inner): features as heads.
  constexpr View<T, Rank + 1> unfold(Index inner) const {
    View<T, Rank + 1> out;
    out.data = data;
    for (int d = 0; d < Rank; ++d) out.extent[d] = extent[d], out.stride[d] = stride[d];
    out.extent[Rank - 1] = extent[Rank - 1] / inner, out.stride[Rank - 1] = inner;
    out.extent[Rank] = inner, out.stride[Rank] = 1;
    return out;
  }

  /// (..., h, d) as (..., h · d); the last two dimensions must be dense.
  constexpr View<T, Rank - 1> fold() const requires(Rank > 1) {
    View<T, Rank - 1> out;
    out.data = data;
    for (int d = 0; d < Rank - 1; ++d) out.extent[d] = extent[d], out.stride[d] = stride[d];
    out.extent[Rank - 2] *= extent[Rank - 1], out.stride[Rank - 2] = 1;
    return out;
  }
};

/// What operators read: never deduced from, so that a `View<T, R>` converts on the way in.
template <class T, int Rank>
using In = std::type_identity_t<View<const T, Rank>>;

}  // namespace weft
