// The online softmax of a tile of logits, in the accumulators of the matrix product: element i of thread t of
// a warp is in row t / 4 + 8 · (i / 2 % 2) and column 8 · (i / 4) + 2 · (t % 4) + i % 2.
// Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "weft/machine.hpp"

namespace weft::inline v0_1::kernels {

inline constexpr float log2_e = 1.44269504089f, ln_2 = 0.69314718056f;

__device__ inline float exp2_fast(float x) {
  float y;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Returns `low` and `high` rounded to E, as one register of an operand.
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

/// Reduces x over the four threads that share a row; all of them receive the result.
template <class Op>
__device__ float over_row(float x, Op op) {
  x = op(x, __shfl_xor_sync(all_lanes, x, 1));
  return op(x, __shfl_xor_sync(all_lanes, x, 2));
}

/// The state of this thread's two rows. Exponentials are of scale · (logit − reference). The reference is the
/// maximum of the first tile, and is raised only when the sum of a tile's exponentials exceeds `limit`: so
/// later tiles hardly ever need their maxima.
struct RunningSoftmax {
  static constexpr float limit = 4096;  // of a tile's exponentials, of which half precision holds 65504

  float scale;         // of logits, to exponents of two
  float reference[2];  // a logit
  float sum[2] = {};   // this thread's share

  template <int Count>
  static __device__ void row_maxima(const float (&s)[Count], float (&top)[2]) {
    row_maxima<Count>([&s](int i) { return s[i]; }, top);
  }

  /// Returns the maxima of both rows of the tile that has logit(i) for i below Count.
  template <int Count, class Logit>
  static __device__ __forceinline__ void row_maxima(const Logit& logit, float (&top)[2]) {
    float part[4] = {logit(0), logit(1), logit(2), logit(3)};
#pragma unroll
    for (int i = 4; i < Count; ++i) part[i % 4] = fmaxf(part[i % 4], logit(i));
    const auto max = [](float a, float b) { return fmaxf(a, b); };
    top[0] = over_row(fmaxf(part[0], part[1]), max);
    top[1] = over_row(fmaxf(part[2], part[3]), max);
  }

  /// Sets the references to the maxima of the first tile.
  template <int Count>
  __device__ void begin(const float (&s)[Count]) {
    row_maxima(s, reference);
  }

  /// Raises the references to the maxima of `s` and scales the sums by `factor`; the caller scales the
  /// output.
  template <int Count>
  __device__ void follow(const float (&s)[Count], float (&factor)[2]) {
    float top[2];
    row_maxima(s, top);
    raise(top, factor);
  }

  /// Raises the references to `top` where that is more, and scales the sums by `factor`.
  __device__ void raise(const float (&top)[2], float (&factor)[2]) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float raised = fmaxf(top[r], reference[r]);
      factor[r] = exp2_fast(scale * (reference[r] - raised));
      reference[r] = raised;
      sum[r] *= factor[r];
    }
  }

  /// Computes the exponentials of the logits, two a register, and adds them to the sums. Returns false, with
  /// the sums unchanged, if those of any row of the warp exceed `limit`.
  template <class E, int Count>
  __device__ bool exponentiate(const float (&s)[Count], std::uint32_t (&weights)[Count / 2]) {
    const float offset[2] = {scale * reference[0], scale * reference[1]};
    return exponentiate_each<E>([this, &s, &offset](int i) { return fmaf(scale, s[i], -offset[i / 2 % 2]); },
                                weights);
  }

  /// Computes the same of exponent(i), to the base of 2.
  template <class E, int Words, class Exponent>
  __device__ __forceinline__ bool exponentiate_each(const Exponent& exponent,
                                                    std::uint32_t (&weights)[Words]) {
    float part[4] = {};
#pragma unroll
    for (int i = 0; i < 2 * Words; i += 2) {
      const float low = exp2_fast(exponent(i)), high = exp2_fast(exponent(i + 1));
      part[i % 4] += low;
      part[i % 4 + 1] += high;
      weights[i / 2] = pack<E>(low, high);
    }
    const float added[2] = {part[0] + part[1], part[2] + part[3]};
    if (!__all_sync(all_lanes, added[0] < limit && added[1] < limit)) return false;
    sum[0] += added[0];
    sum[1] += added[1];
    return true;
  }

  /// Adds the sum over other keys to row `r`; returns the factors of this output and of theirs.
  __device__ void join(int r, float other_reference, float other_sum, float& kept, float& added) {
    const float top = fmaxf(reference[r], other_reference);
    kept = exp2_fast(scale * (reference[r] - top));
    added = exp2_fast(scale * (other_reference - top));
    sum[r] = sum[r] * kept + other_sum * added;
    reference[r] = top;
  }

  /// Completes the sums, of which each thread has a share so far.
  __device__ void finish() {
#pragma unroll
    for (int r = 0; r < 2; ++r) sum[r] = over_row(sum[r], [](float a, float b) { return a + b; });
  }

  /// Returns the natural logarithm of the sum of exponentials of row `r`'s scaled logits.
  __device__ float log_sum(int r) const { return (scale * reference[r] + log2f(sum[r])) * ln_2; }
};

}  // namespace weft::inline v0_1::kernels
