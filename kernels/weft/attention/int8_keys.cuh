// Keys in int8, for products of queries and keys at twice the rate of 16-bit ones. Each 32 keys of a head
// have a scale, and each query has one. Zhang et al., "SageAttention: Accurate 8-Bit Attention for
// Plug-and-play Inference Acceleration", 2024.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/attention/softmax.cuh"
#include "weft/check.cuh"
#include "weft/core/int8_keys.hpp"
#include "weft/core/view.hpp"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

inline constexpr float most_int8 = 127;
inline constexpr int quantized_together = 16;  // features of a key, by a thread

/// 1.5 · 2²³: added to an integer n below 2²² in magnitude, it is the float32 whose bits are its own plus n.
inline constexpr float integer_base = 12582912;

/// Returns numbers of magnitudes up to 127 as four bytes, rounded, the first the lowest.
__device__ inline std::uint32_t pack_int8(float a, float b, float c, float d) {
  const auto bits = [](float x) { return __float_as_uint(x + integer_base); };
  const std::uint32_t low = __byte_perm(bits(a), bits(b), 0x0040),
                      high = __byte_perm(bits(c), bits(d), 0x0040);
  return __byte_perm(low, high, 0x5410);
}

/// Keys (S, B, K, int8_key_bytes), and their scales: those of a head one after the other.
struct Int8Keys {
  View<std::int8_t, 4> rows;
  View<float, 3> scales;  // (B, K, those of whole tiles of 96 or 128 keys)

  /// Places the keys of (S, B, K, D) in `room`, of room_for(k) bytes.
  template <class E>
  Int8Keys(void* room, const View<const E, 4>& k) {
    const Index keys = k.extent[0], batch = k.extent[1], heads = k.extent[2], row = int8_key_bytes;
    rows = {
        static_cast<std::int8_t*>(room), {keys, batch, heads, row}, {row, heads * keys * row, keys * row, 1}};
    scales = {reinterpret_cast<float*>(rows.data + keys * batch * heads * row),
              {batch, heads, int8_scales(keys)}};
  }

  /// Returns the bytes that the keys of (S, B, K, D) and their scales take.
  template <class E>
  static std::size_t room_for(const View<const E, 4>& k) {
    return static_cast<std::size_t>(int8_keys_bytes(k.extent[0], k.extent[1] * k.extent[2]));
  }
};

/// Quantizes int8_scale_keys keys of a head in each block, and 16 features of a key in each thread. Of 16
/// features 8 · m + 2 · t + e, those of t are the four bytes of a thread t of a quad, in the order of m and
/// e: so a thread of attention has its query's next to each other in registers.
template <class E>
__global__ void quantize_keys(RowsOf<const E, 4> k, std::int8_t* to, float* scales) {
  constexpr int features = quantized_together, threads_a_key = int8_key_bytes / features;
  __shared__ float magnitudes[int8_scale_keys * threads_a_key / warp_size];
  const int key = static_cast<int>(blockIdx.x * int8_scale_keys + threadIdx.x / threads_a_key),
            part = static_cast<int>(threadIdx.x % threads_a_key), first = part * features;
  const Index head = static_cast<Index>(blockIdx.y) * gridDim.z + blockIdx.z;
  const int keys = k.extent[0];
  float x[2][8] = {};
  if (key < keys) {
    const E* const from =
        head_row(k, key, static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)) + first;
#pragma unroll
    for (int m = 0; m < 2; ++m)
      if (first + 8 * m < k.width) load(from + 8 * m, x[m]);
  }
  float most = 0;
#pragma unroll
  for (int i = 0; i < features; ++i) most = fmaxf(most, fabsf(x[i / 8][i % 8]));
  for (int lane = warp_size / 2; lane > 0; lane /= 2)
    most = fmaxf(most, __shfl_xor_sync(all_lanes, most, lane));
  if (threadIdx.x % warp_size == 0) magnitudes[threadIdx.x / warp_size] = most;
  __syncthreads();
  for (const float magnitude : magnitudes) most = fmaxf(most, magnitude);
  if (threadIdx.x == 0) scales[head * gridDim.x + blockIdx.x] = most > 0 ? most / most_int8 : 1;
  if (key >= keys) return;
  const float inverse = most > 0 ? most_int8 / most : 0;
  std::uint32_t words[4];
#pragma unroll
  for (int t = 0; t < 4; ++t)
    words[t] = pack_int8(x[0][2 * t] * inverse, x[0][2 * t + 1] * inverse, x[1][2 * t] * inverse,
                         x[1][2 * t + 1] * inverse);
  reinterpret_cast<uint4*>(to + (head * keys + key) * int8_key_bytes)[part] = {words[0], words[1], words[2],
                                                                               words[3]};
}

/// Quantizes k (S, B, K, D), D at most int8_key_bytes, whose rows begin at multiples of 16 bytes.
template <class E>
void quantize(cudaStream_t stream, const View<const E, 4>& k, const Int8Keys& to) {
  const dim3 blocks(static_cast<unsigned>(to.scales.extent[2]), static_cast<unsigned>(k.extent[1]),
                    static_cast<unsigned>(k.extent[2]));
  quantize_keys<E><<<blocks, int8_scale_keys * int8_key_bytes / quantized_together, 0, stream>>>(
      k, to.rows.data, to.scales.data);
  check(cudaGetLastError(), "launching the quantization of keys");
}

}  // namespace weft::inline v0_1::kernels
