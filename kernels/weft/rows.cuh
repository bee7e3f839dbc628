// Rows of a tensor as device code reads them, eight numbers at a time where their alignment allows.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <type_traits>

#include "weft/core/view.hpp"
#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels {

/// The rows along a view's last dimension, numbered in row-major order of the others.
template <class T, int Rank>
struct RowsOf {
  T* data;
  Index stride[Rank - 1];
  int extent[Rank - 1];
  int width;

  RowsOf() = default;
  RowsOf(const View<T, Rank>& view) : data(view.data), width(static_cast<int>(view.extent[Rank - 1])) {
    for (int d = 0; d < Rank - 1; ++d) {
      stride[d] = view.stride[d];
      extent[d] = static_cast<int>(view.extent[d]);
    }
  }

  Index count() const {
    Index n = 1;
    for (int d = 0; d < Rank - 1; ++d) n *= extent[d];
    return n;
  }

  __device__ T* row(Index i) const {
    T* at = data;
    for (int d = Rank - 2; d > 0; --d) {
      at += i % extent[d] * stride[d];
      i /= extent[d];
    }
    return at + i * stride[0];
  }

  /// Returns whether every row is aligned for loads and stores of 16 bytes, and a multiple of `numbers` long.
  bool moves_by(int numbers) const {
    bool fits = width % numbers == 0 && reinterpret_cast<std::uintptr_t>(data) % vector_bytes == 0;
    for (int d = 0; d < Rank - 1; ++d) fits &= extent[d] == 1 || stride[d] % numbers == 0;
    return fits;
  }
};

/// Returns a head at a token of (tokens, images, heads, head_dim).
template <class T>
__device__ T* head_row(const RowsOf<T, 4>& x, int token, int image, int head) {
  return x.data + token * x.stride[0] + image * x.stride[1] + head * x.stride[2];
}

/// Conversions between two numbers in a register and float32.
template <class T>
struct Pair;
template <>
struct Pair<__nv_bfloat16> {
  using Type = __nv_bfloat162;
  static __device__ float2 widen(Type pair) { return __bfloat1622float2(pair); }
  static __device__ Type narrow(float a, float b) { return __floats2bfloat162_rn(a, b); }
};
template <>
struct Pair<__half> {
  using Type = __half2;
  static __device__ float2 widen(Type pair) { return __half22float2(pair); }
  static __device__ Type narrow(float a, float b) { return __floats2half2_rn(a, b); }
};
template <>
struct Pair<float> {
  using Type = float2;
  static __device__ float2 widen(Type pair) { return pair; }
  static __device__ Type narrow(float a, float b) { return {a, b}; }
};

/// `N` consecutive numbers, loaded and stored by 16 bytes, or by the 8 that they are; or one.
template <int N, class T>
struct Packed {
  using Move = std::conditional_t<N * sizeof(T) == 8, uint2, uint4>;
  static constexpr int moves = N * sizeof(T) / sizeof(Move);
  Move bits[moves] = {};

  __device__ void load(const T* from) {
#pragma unroll
    for (int i = 0; i < moves; ++i) bits[i] = reinterpret_cast<const Move*>(from)[i];
  }
  __device__ void store(T* to) const {
#pragma unroll
    for (int i = 0; i < moves; ++i) reinterpret_cast<Move*>(to)[i] = bits[i];
  }
  __device__ void widen(float (&to)[N]) const {
    const auto* pairs = reinterpret_cast<const typename Pair<T>::Type*>(bits);
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
      const float2 both = Pair<T>::widen(pairs[i]);
      to[2 * i] = both.x;
      to[2 * i + 1] = both.y;
    }
  }
  __device__ void narrow(const float (&from)[N]) {
    auto* pairs = reinterpret_cast<typename Pair<T>::Type*>(bits);
#pragma unroll
    for (int i = 0; i < N / 2; ++i) pairs[i] = Pair<T>::narrow(from[2 * i], from[2 * i + 1]);
  }
};
template <class T>
struct Packed<1, T> {
  T number{};

  __device__ void load(const T* from) { number = *from; }
  __device__ void store(T* to) const { *to = number; }
  __device__ void widen(float (&to)[1]) const { to[0] = static_cast<float>(number); }
  __device__ void narrow(const float (&from)[1]) { number = static_cast<T>(from[0]); }
};

template <int N, class T>
__device__ void load(const T* from, float (&to)[N]) {
  Packed<N, T> packed;
  packed.load(from);
  packed.widen(to);
}

template <int N, class T>
__device__ void store(const float (&from)[N], T* to) {
  Packed<N, T> packed;
  packed.narrow(from);
  packed.store(to);
}

/// Converts to e4m3, saturating at ±448.
template <int N>
__device__ void store(const float (&from)[N], __nv_fp8_e4m3* to) {
  if constexpr (N == 1) {
    to[0] = __nv_fp8_e4m3(from[0]);
  } else {
    static_assert(N == 8);
    alignas(8) __nv_fp8x2_storage_t pairs[N / 2];
#pragma unroll
    for (int i = 0; i < N / 2; ++i)
      pairs[i] =
          __nv_cvt_float2_to_fp8x2(make_float2(from[2 * i], from[2 * i + 1]), __NV_SATFINITE, __NV_E4M3);
    *reinterpret_cast<uint2*>(to) = *reinterpret_cast<const uint2*>(pairs);
  }
}

/// Returns, in every lane, the sum over `Lanes` neighbouring lanes. cub::WarpReduce would leave it in one
/// lane and need a further shuffle, and norms are bound by shuffles, see NOTES.md.
template <int Lanes>
__device__ float sum_over_lanes(float x) {
#pragma unroll
  for (int offset = Lanes / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(all_lanes, x, offset, Lanes);
  return x;
}

/// Returns how many blocks of `threads` make at least `work` threads.
inline unsigned blocks_for(Index work, int threads) {
  return static_cast<unsigned>((work + threads - 1) / threads);
}

}  // namespace weft::inline v0_1::kernels
