// Copies between views on a CUDA device, and between views and tensors.
#pragma once

#include <cstddef>
#include <type_traits>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/core/tensor.hpp"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::cuda {

/// Copies between views of the same extents and any strides; converts numbers if their types differ.
template <class From, class To, int Rank>
void copy(Queue& queue, const View<From, Rank>& from, const View<To, Rank>& to) {
  if constexpr (Rank == 1) {
    return copy(queue, View<From, 2>(from.data, {1, from.size()}), View<To, 2>(to.data, {1, to.size()}));
  } else {
    const auto span = queue.span(Work{"copy", {to.size()}, 0, to.size() * (bytes_of<From> + bytes_of<To>)});
    const kernels::RowsOf<To, Rank> rows = to;
    kernels::for_each_number(queue.stream(), rows.count(), rows.width,
                             kernels::Copy<From, To, Rank>{from, to});
  }
}

/// Fills a view with one value.
template <class T>
void fill(Queue& queue, const std::type_identity_t<T>& value, const View<T, 1>& to) {
  const auto span = queue.span(Work{"fill", {to.size()}, 0, to.size() * bytes_of<T>});
  kernels::for_each_number(queue.stream(), to.size(), 1, kernels::Fill<T>{value, to.data});
}

/// Copies bytes from the memory of any device.
inline void copy_bytes(Queue& queue, const View<const std::byte, 1>& from, const View<std::byte, 1>& to) {
  check(cudaMemcpyAsync(to.data, from.data, static_cast<std::size_t>(from.size()), cudaMemcpyDefault,
                        queue.stream()),
        "copying bytes");
}

/// Copies numbers of the host, which lie dense, to a view of the same extents; they may change as soon as
/// this returns.
template <class T, int Rank>
void upload(Queue& queue, const View<const float, Rank>& from, const View<T, Rank>& to) {
  if constexpr (Rank == 1) {
    upload(queue, View<const float, 2>(from.data, {1, from.size()}), View<T, 2>(to.data, {1, to.size()}));
  } else {
    if (from.empty()) return;
    const std::size_t bytes = static_cast<std::size_t>(from.size()) * sizeof(float);
    if constexpr (std::is_same_v<T, float>)
      if (to.dense()) return queue.send(from.data, to.data, bytes);
    const Buffer<float> buffer(queue, from.size());
    const View<float, Rank> staged = buffer.view(to.extent);
    queue.send(from.data, staged.data, bytes);
    copy(queue, staged, to);
  }
}

/// Copies a tensor to a view of the same size.
template <class T, int Rank>
void upload(Queue& queue, const Tensor& from, const View<T, Rank>& to) {
  upload(queue, View<const float, Rank>(from.numbers(to.size()), to.extent), to);
}

/// Waits for all that was queued before; returns the view as a tensor.
template <class T, int Rank>
Tensor download(Queue& queue, const View<T, Rank>& from) {
  Tensor out(Shape(from.extent.begin(), from.extent.end()));
  if (out.empty()) return out;
  const auto fetch = [&queue, &out](const float* numbers) {
    queue.fetch(numbers, out.data.data(), out.data.size() * sizeof(float));
  };
  if constexpr (std::is_same_v<std::remove_const_t<T>, float>)
    if (from.dense()) {
      fetch(from.data);
      return out;
    }
  const Buffer<float> buffer(queue, out.size());
  const View<float, Rank> staged = buffer.view(from.extent);
  copy(queue, from, staged);
  fetch(staged.data);
  return out;
}

}  // namespace weft::inline v0_1::cuda
