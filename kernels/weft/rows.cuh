// Rows of a tensor as device code reads them, eight numbers at a time where they lie so.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "weft/core/view.hpp"

namespace weft::kernels {

/// The rows along a view's last dimension, numbered in row-major order of the others.
template <class T, int Rank>
struct RowsOf {
  T* data;
  Index stride[Rank - 1];
  int extent[Rank - 1];
  int width;

  RowsOf() = default;
  RowsOf(const View<T, Rank>& view) : data(view.data), width(static_cast<int>(view.extent[Rank - 1])) {
    for (int d = 0; d < Rank - 1; ++d)
      stride[d] = view.stride[d], extent[d] = static_cast<int>(view.extent[d]);
  }

  Index count() const {
    Index n = 1;
    for (int d = 0; d < Rank - 1; ++d) n *= extent[d];
    return n;
  }

  __device__ T* row(Index i) const {
    T* at = data;
    for (int d = Rank - 2; d > 0; --d) at += i % extent[d] * stride[d], i /= extent[d];
    return at + i * stride[0];
  }

  /// Whether every row begins where 16 bytes can be moved at once, and is a multiple of `numbers` long.
  bool moves_by(int numbers) const {
    bool fits = width % numbers == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
    for (int d = 0; d < Rank - 1; ++d) fits &= extent[d] == 1 || stride[d] % numbers == 0;
    return fits;
  }
};

/// `N` numbers, as many as make whole 16-byte moves, or one.
template <int N, class T>
__device__ void load(const T* from, float (&to)[N]) {
  if constexpr (N == 1) {
    to[0] = static_cast<float>(from[0]);
  } else {
    alignas(16) T numbers[N];
    for (int i = 0; i < N * static_cast<int>(sizeof(T)) / 16; ++i)
      reinterpret_cast<uint4*>(numbers)[i] = reinterpret_cast<const uint4*>(from)[i];
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = static_cast<float>(numbers[i]);
  }
}

template <int N, class T>
__device__ void store(const float (&from)[N], T* to) {
  if constexpr (N == 1) {
    to[0] = static_cast<T>(from[0]);
  } else {
    alignas(16) T numbers[N];
#pragma unroll
    for (int i = 0; i < N; ++i) numbers[i] = static_cast<T>(from[i]);
    for (int i = 0; i < N * static_cast<int>(sizeof(T)) / 16; ++i)
      reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(numbers)[i];
  }
}

/// Over `Lanes` neighbouring lanes of a warp, the same in each.
template <int Lanes>
__device__ float sum_over_lanes(float x) {
#pragma unroll
  for (int offset = Lanes / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset, Lanes);
  return x;
}

/// Blocks of `threads` for `work` threads.
inline unsigned blocks_for(Index work, int threads) {
  return static_cast<unsigned>((work + threads - 1) / threads);
}

}  // namespace weft::kernels
