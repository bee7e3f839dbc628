// The logits of 64 queries and tiles of keys on sm_90a, and their softmax: by 16-bit products, or by products
// in int8.
#pragma once

#include <cstdint>
#include <cstring>

#include "weft/attention/int8_keys.cuh"
#include "weft/attention/key_tiles.cuh"
#include "weft/attention/softmax.cuh"
#include "weft/sm90/wgmma.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Calls hide(i) for each of a thread's logits i whose key is hidden.
template <int Keys, class Hide>
__device__ void for_each_hidden(HiddenKeys hidden, const Hide& hide) {
  const int column = threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < Keys / 2; ++i)
    if (hidden(i / 4 * 8 + column + i % 2)) hide(i);
}

/// The queries that a warp has as left operands, in steps of wgmma_depth features.
template <int HeadDim>
using QueryRows = std::uint32_t[4 * ((HeadDim + wgmma_depth - 1) / wgmma_depth)];

/// Queries and keys in 16 bits.
template <class E, class Key, int HeadDim, int Keys>
struct Scores {
  using Weights = std::uint32_t[Keys / 4];  // (64, Keys), two a register

  QueryRows<HeadDim> queries;  // (64, HeadDim)
  float logits[Keys / 2];      // (64, Keys)
  RunningSoftmax softmax;

  static constexpr int steps = sizeof queries / sizeof *queries / 4;

  /// Begins with the queries that load(rows) loads, whose logits are to be scaled. Keys in int8 have the
  /// scales of their head, and are gone through from `last_tile` to the first.
  template <class Load>
  __device__ void begin(const Load& load, float scale, const float*, int) {
    load(queries);
    softmax.scale = scale;
  }

  /// Issues the logits of the next tile of keys, which key_at(step) describes.
  template <class KeyAt>
  __device__ void multiply(const KeyAt& key_at) {
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < steps; ++i) {
      if (i == 0) {
        Product<Keys>::template multiply<E, false, true>(logits, queries + 4 * i, key_at(i));
      } else {
        Product<Keys>::template multiply<E, true, true>(logits, queries + 4 * i, key_at(i));
      }
    }
    wgmma_commit();
  }

  __device__ void mask(HiddenKeys hidden) {
    for_each_hidden<Keys>(hidden, [this](int i) { logits[i] = -INFINITY; });
  }

  /// Computes the weights of the first tile.
  __device__ void weigh_first(Weights& weights) {
    softmax = {softmax.scale};
    softmax.begin(logits);
    softmax.template exponentiate<E>(logits, weights);
  }
  /// Computes those of a later one; returns false, with the sums unchanged, if they are out of bounds.
  __device__ bool weigh(Weights& weights) { return softmax.template exponentiate<E>(logits, weights); }
  /// Computes the weights that were out of bounds; the caller scales the output by `factor`.
  __device__ void weigh_again(Weights& weights, float (&factor)[2]) {
    softmax.follow(logits, factor);
    softmax.template exponentiate<E>(logits, weights);
  }
};

/// The same in int8. Sums begin at the bits of integer_base, so that they are float32 numbers without a
/// conversion. References are exponents of two.
template <class E, int HeadDim, int Keys>
struct Scores<E, std::int8_t, HeadDim, Keys> {
  static constexpr int steps = (HeadDim + wgmma_bytes - 1) / wgmma_bytes, scales = Keys / int8_scale_keys;
  static_assert(Keys % int8_scale_keys == 0);

  using Weights = std::uint32_t[Keys / 4];

  std::uint32_t queries[4 * steps];
  std::int32_t logits[Keys / 2];
  float query_scales[2];      // of this thread's rows, to exponents of two
  float tile_scales[scales];  // of the keys of `logits`
  const float* key_scales;    // of the next tile
  RunningSoftmax softmax;

  template <class Load>
  __device__ void begin(const Load& load, float scale, const float* head_scales, int last_tile) {
    QueryRows<HeadDim> rows;
    load(rows);
    quantize_queries(rows, scale);
    key_scales = head_scales + last_tile * scales;
  }

  template <class KeyAt>
  __device__ void multiply(const KeyAt& key_at) {
#pragma unroll
    for (int i = 0; i < scales; ++i) tile_scales[i] = __ldg(key_scales + i);
    key_scales -= scales;
#pragma unroll
    for (int i = 0; i < Keys / 2; ++i) logits[i] = __float_as_int(integer_base);
    settle(logits);  // in registers of their own
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < steps; ++i) Int8Product<Keys>::multiply(logits, queries + 4 * i, key_at(i));
    wgmma_commit();
  }

  __device__ void mask(HiddenKeys hidden) {
    for_each_hidden<Keys>(hidden, [this](int i) { logits[i] = __float_as_int(-INFINITY); });
  }

  __device__ void weigh_first(Weights& weights) {
    softmax = {1};
    row_maxima(softmax.reference);
    weigh(weights);
  }
  __device__ __forceinline__ bool weigh(Weights& weights) {
    const auto exponent = [this](int i) {
      const float scale = scale_of(i), offset = fmaf(-integer_base, scale, -softmax.reference[i / 2 % 2]);
      return fmaf(__int_as_float(logits[i]), scale, offset);
    };
    return softmax.template exponentiate_each<E>(exponent, weights);
  }
  __device__ void weigh_again(Weights& weights, float (&factor)[2]) {
    float top[2];
    row_maxima(top);
    softmax.raise(top, factor);
    weigh(weights);
  }

 private:
  /// Quantizes the warp's rows: of each, the largest magnitude is 127.
  __device__ __forceinline__ void quantize_queries(const QueryRows<HeadDim>& rows, float scale) {
    constexpr int given = sizeof rows / sizeof *rows;
    const auto pair = [&rows](int i) {
      if (i >= given) return float2{};
      typename Pair<E>::Type both;
      std::memcpy(&both, &rows[i], sizeof both);
      return Pair<E>::widen(both);
    };
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float most = 0;
#pragma unroll
      for (int i = r; i < given; i += 2) most = fmaxf(most, fmaxf(fabsf(pair(i).x), fabsf(pair(i).y)));
      most = over_row(most, [](float a, float b) { return fmaxf(a, b); });
      query_scales[r] = scale * (most > 0 ? most / most_int8 : 1);
      const float inverse = most > 0 ? most_int8 / most : 0;
#pragma unroll
      for (int i = 0; i < 2 * steps; ++i) {
        const float2 low = pair(4 * i + r), high = pair(4 * i + 2 + r);
        queries[2 * i + r] = pack_int8(low.x * inverse, low.y * inverse, high.x * inverse, high.y * inverse);
      }
    }
  }

  /// Returns the scale of logit `i`.
  __device__ __forceinline__ float scale_of(int i) const {
    return query_scales[i / 2 % 2] * tile_scales[2 * i / int8_scale_keys];
  }

  /// Returns the maxima of both rows, in exponents of two.
  __device__ __forceinline__ void row_maxima(float (&top)[2]) const {
    const auto logit = [this](int i) {
      const float scale = scale_of(i);
      return fmaf(__int_as_float(logits[i]), scale, -integer_base * scale);
    };
    RunningSoftmax::row_maxima<Keys / 2>(logit, top);
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
