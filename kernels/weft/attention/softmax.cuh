// The running softmax of a warpgroup's 64 rows of logits, in the registers that the matrix product leaves
// them in: thread t of a warp holds element i of row t / 4 + 8 · (i / 2 % 2), column 8 · (i / 4) + 2 · (t %
// 4) + i % 2.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

namespace weft::kernels {

__device__ inline float exp2_fast(float x) {
  float y;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// `low` and `high` rounded to E, as the matrix product reads them.
template <class E>
__device__ std::uint32_t pack(float low, float high) {
  std::uint32_t out;
  if constexpr (std::is_same_v<E, __half>) {
    asm volatile("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  } else {
    asm volatile("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  }
  return out;
}

/// The same value in the four threads that share a row.
template <class Op>
__device__ float over_row(float x, Op op) {
  x = op(x, __shfl_xor_sync(~0u, x, 1));
  return op(x, __shfl_xor_sync(~0u, x, 2));
}

/// State of the two rows of this thread. Exponentials are taken of scale · (logit − reference). The reference
/// is the maximum of the first tile and moves only where exponentials grow out of bounds, which shows in
/// their sum: so the maxima of later tiles are hardly ever needed.
struct RunningSoftmax {
  static constexpr float limit = 4096;  // of a tile's exponentials, of which half precision holds 65504

  float scale;         // logits to powers of two
  float reference[2];  // a logit
  float sum[2] = {};   // this thread's share

  template <int Count>
  static __device__ void row_maxima(const float (&s)[Count], float (&top)[2]) {
    float part[4] = {s[0], s[1], s[2], s[3]};
#pragma unroll
    for (int i = 4; i < Count; ++i) part[i % 4] = fmaxf(part[i % 4], s[i]);
    const auto max = [](float a, float b) { return fmaxf(a, b); };
    top[0] = over_row(fmaxf(part[0], part[1]), max);
    top[1] = over_row(fmaxf(part[2], part[3]), max);
  }

  /// Takes the reference from the first logits.
  template <int Count>
  __device__ void begin(const float (&s)[Count]) {
    row_maxima(s, reference);
  }

  /// Raises the references to the maxima of `s`; older sums, and outputs, shrink by `factor`.
  template <int Count>
  __device__ void follow(const float (&s)[Count], float (&factor)[2]) {
    float top[2];
    row_maxima(s, top);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      top[r] = fmaxf(top[r], reference[r]);
      factor[r] = exp2_fast(scale * (reference[r] - top[r]));
      reference[r] = top[r];
      sum[r] *= factor[r];
    }
  }

  /// Exponentials of the logits, two to a register. Where they are out of bounds in any row of the warp, the
  /// sums stay as they were and the result is false.
  template <class E, int Count>
  __device__ bool exponentiate(const float (&s)[Count], std::uint32_t (&weights)[Count / 2]) {
    const float offset[2] = {scale * reference[0], scale * reference[1]};
    float part[4] = {};
#pragma unroll
    for (int i = 0; i < Count; i += 2) {
      const float low = exp2_fast(fmaf(scale, s[i], -offset[i / 2 % 2]));
      const float high = exp2_fast(fmaf(scale, s[i + 1], -offset[i / 2 % 2]));
      part[i % 4] += low;
      part[i % 4 + 1] += high;
      weights[i / 2] = pack<E>(low, high);
    }
    const float added[2] = {part[0] + part[1], part[2] + part[3]};
    if (!__all_sync(~0u, added[0] < limit && added[1] < limit)) return false;
    sum[0] += added[0];
    sum[1] += added[1];
    return true;
  }

  /// Adds the sum of other keys to row `r`; outputs of both shrink by these factors.
  __device__ void join(int r, float other_reference, float other_sum, float& kept, float& added) {
    const float top = fmaxf(reference[r], other_reference);
    kept = exp2_fast(scale * (reference[r] - top)), added = exp2_fast(scale * (other_reference - top));
    sum[r] = sum[r] * kept + other_sum * added;
    reference[r] = top;
  }

  /// The sums of the whole rows.
  __device__ void finish() {
#pragma unroll
    for (int r = 0; r < 2; ++r) sum[r] = over_row(sum[r], [](float a, float b) { return a + b; });
  }

  /// The natural logarithm of the sum of exponentials of row `r`'s scaled logits.
  __device__ float log_sum(int r) const {
    constexpr float ln2 = 0.69314718056f;
    return (scale * reference[r] + log2f(sum[r])) * ln2;
  }
};

}  // namespace weft::kernels
