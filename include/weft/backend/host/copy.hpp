// Copies between views on the host, and from and to tensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "weft/backend/host/queue.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1::host {

/// Copies between views of the same extents and any strides; converts numbers where the types differ.
template <class From, class To, int Rank>
void copy(Queue& queue, const View<From, Rank>& from, const View<To, Rank>& to) {
  if constexpr (Rank == 1) {
    std::copy_n(from.data, from.extent[0], to.data);
  } else {
    for (Index i = 0; i < from.extent[0]; ++i) copy(queue, from[i], to[i]);
  }
}

/// Writes one value to every element.
template <class T>
void fill(Queue&, const std::type_identity_t<T>& value, const View<T, 1>& to) {
  std::fill_n(to.data, to.size(), value);
}

/// Copies bytes.
inline void copy_bytes(Queue&, const View<const std::byte, 1>& from, const View<std::byte, 1>& to) {
  std::copy_n(from.data, from.size(), to.data);
}

/// Copies numbers of the host, which lie dense, to a view of the same extents.
template <class T, int Rank>
void upload(Queue& queue, const View<const float, Rank>& from, const View<T, Rank>& to) {
  copy(queue, from, to);
}

/// Copies a tensor to a view of the same size. Throws std::logic_error if the sizes differ.
template <class T, int Rank>
void upload(Queue& queue, const Tensor& from, const View<T, Rank>& to) {
  upload(queue, View<const float, Rank>(from.numbers(to.size()), to.extent), to);
}

/// Returns a copy of a view, after all that was queued before.
template <class T, int Rank>
[[nodiscard]] Tensor download(Queue& queue, View<T, Rank> from) {
  Tensor out(Shape(from.extent.begin(), from.extent.end()));
  copy(queue, from, out.view<Rank>());
  return out;
}

}  // namespace weft::inline v0_1::host
