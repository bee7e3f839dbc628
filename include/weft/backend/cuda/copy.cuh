// Copies between views on a CUDA device, and from and to tensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "weft/backend/cuda/queue.cuh"
#include "weft/core/tensor.hpp"
#include "weft/elementwise.cuh"

namespace weft::cuda {

/// The same extents, any strides; converts numbers where the types differ.
template <class From, class To, int Rank>
void copy(Queue& queue, const View<From, Rank>& from, const View<To, Rank>& to) {
  const auto span = queue.span(Work{"copy", {to.size()}, 0, to.size() * (bytes_of<From> + bytes_of<To>)});
  const kernels::RowsOf<To, Rank> rows = to;
  kernels::for_each_number(queue.stream(), rows.count(), rows.width, kernels::Copy<From, To, Rank>{from, to});
}

/// Bytes as they are, from the memory of any device.
inline void copy_bytes(Queue& queue, const View<const std::byte, 1>& from, const View<std::byte, 1>& to) {
  check(cudaMemcpyAsync(to.data, from.data, static_cast<std::size_t>(from.size()), cudaMemcpyDefault,
                        queue.stream()),
        "Copying bytes");
}

/// A tensor to a dense view of the same size.
template <class T, int Rank>
void upload(Queue& queue, const Tensor& from, const View<T, Rank>& to) {
  std::vector<T> numbers(from.data.begin(), from.data.end());
  queue.count_upload();
  check(cudaMemcpyAsync(to.data, numbers.data(), numbers.size() * sizeof(T), cudaMemcpyHostToDevice,
                        queue.stream()),
        "Copying to the device");
  queue.synchronize();
}

/// A view as a tensor, when all that was queued before is done.
template <class T, int Rank>
Tensor download(Queue& queue, const View<T, Rank>& from) {
  Tensor out(Shape(from.extent.begin(), from.extent.end()));
  if (out.empty()) return out;
  float* memory = nullptr;
  const std::size_t bytes = out.data.size() * sizeof(float);
  check(cudaMallocAsync(&memory, bytes, queue.stream()), "Taking memory on the device");
  copy(queue, from, View<float, Rank>(memory, from.extent));
  check(cudaMemcpyAsync(out.data.data(), memory, bytes, cudaMemcpyDeviceToHost, queue.stream()),
        "Copying from the device");
  check(cudaFreeAsync(memory, queue.stream()), "Freeing memory on the device");
  queue.synchronize();
  return out;
}

}  // namespace weft::cuda
