// The epilogue of attention: normalises and stores its output and log-sum-exp, or merges them with others.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "weft/attention/softmax.cuh"
#include "weft/core/merge.hpp"
#include "weft/core/stretches.hpp"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// What attention in E writes: out (n, B, H, D), in a few stretches, rounded to E and then, if that is
/// another type, to Out; and, unless null, lse (n, B, H).
template <class E, class Out = E>
struct AttentionResult {
  static constexpr int most = 32;  // stretches

  struct Stretch {
    Out* first;  // where token 0 would be
    int end;     // of its tokens
  };
  Stretch stretches[most];
  float* lse;
  Index out_stride[3], lse_stride[3];
  bool merges;  // with what the views hold

  AttentionResult(const Stretches<Out, 4>& out, const View<float, 3>& l, Output output)
      : lse(l.data), merges(output == Output::merge) {
    for (int d = 0; d < 3; ++d) {
      out_stride[d] = out.views().front().stride[d];
      lse_stride[d] = l.stride[d];
    }
    int count = 0;
    out.for_each([this, &count](const View<Out, 4>& view, Range tokens) {
      stretches[count++] = {view.data - tokens.begin * out_stride[0], static_cast<int>(tokens.end)};
    });
  }

  /// Returns the row of a token that exists.
  __device__ Out* row(int token, int batch, int head) const {
    int i = 0;
    while (token >= stretches[i].end) ++i;
    return stretches[i].first + token * out_stride[0] + batch * out_stride[1] + head * out_stride[2];
  }
  __device__ float* lse_at(int token, int batch, int head) const {
    return lse + token * lse_stride[0] + batch * lse_stride[1] + head * lse_stride[2];
  }

  /// Returns the weights of a new row with log-sum-exp `own_lse`, and of the row that `out` holds.
  __device__ MergeWeights weights(int token, int batch, int head, float own_lse) const {
    return merges ? merge_weights(*lse_at(token, batch, head), own_lse) : MergeWeights{0, 1, own_lse};
  }
};

/// Returns the e4m3 of four numbers in bfloat16, two in each word.
__device__ inline std::uint32_t narrowed(std::uint32_t low, std::uint32_t high) {
  const auto two = [](std::uint32_t word) {
    __nv_bfloat162_raw pair;
    std::memcpy(&pair, &word, sizeof pair);
    return std::uint32_t{__nv_cvt_bfloat16raw2_to_fp8x2(pair, __NV_SATFINITE, __NV_E4M3)};
  };
  return two(low) | two(high) << 16;
}

/// Stores 8 numbers of attention, two in each word, as that chunk of a row.
template <class Out>
__device__ void store_chunk(const std::uint32_t (&words)[4], Out* row, int chunk) {
  if constexpr (sizeof(Out) == 1)
    reinterpret_cast<uint2*>(row)[chunk] = {narrowed(words[0], words[1]), narrowed(words[2], words[3])};
  else
    reinterpret_cast<uint4*>(row)[chunk] = {words[0], words[1], words[2], words[3]};
}

/// Transposes four words of each of four lanes: lane j of them gets every lane's word j, in the lanes' order.
__device__ inline void transpose_quad(std::uint32_t (&words)[4]) {
#pragma unroll
  for (int bit = 1; bit <= 2; bit *= 2) {
    const bool upper = threadIdx.x & bit;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i & bit) continue;
      std::uint32_t &low = words[i], &high = words[i + bit];
      const std::uint32_t other = __shfl_xor_sync(all_lanes, upper ? low : high, bit);
      (upper ? low : high) = other;
    }
  }
}

/// Stores a warp's 16 rows, those of tokens from `token` on that are below `tokens`: the accumulators
/// `output`, which it overwrites, divided by the sums of `softmax`. The lanes of a row store 64 bytes of it
/// together, which travel well to other GPUs too.
template <class E, class Out, int Count>
__device__ void store_rows(const AttentionResult<E, Out>& result, RunningSoftmax& softmax,
                           float (&output)[Count], int token, int tokens, int batch, int head) {
  using Two = typename Pair<E>::Type;
  static_assert(sizeof(Two) == sizeof(std::uint32_t));
  constexpr int chunks = Count / 4;  // of 8 features, two of them in each lane
  const int lane = threadIdx.x % warp_size;
  softmax.finish();
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int own = token + lane / 4 + 8 * r;
    const bool exists = own < tokens;
    Out* const row = exists ? result.row(own, batch, head) : nullptr;
    float share = __fdividef(1, softmax.sum[r]), lse = 0;
    if (result.lse && exists) lse = softmax.log_sum(r);
    if (result.merges) {
      MergeWeights weights{};
      if (exists) weights = result.weights(own, batch, head, lse);
      __syncwarp();  // all have read the log-sum-exp that is about to be replaced
#pragma unroll
      for (int i = 0; i < chunks; ++i) {
        const float2 there =
            exists ? Pair<E>::widen(reinterpret_cast<const Two*>(row)[4 * i + lane % 4]) : float2{};
        float &low = output[4 * i + 2 * r], &high = output[4 * i + 2 * r + 1];
        low = fmaf(weights.kept, there.x, weights.added * share * low);
        high = fmaf(weights.kept, there.y, weights.added * share * high);
      }
      share = 1;
      lse = weights.lse;
    }
#pragma unroll
    for (int first = 0; first < chunks; first += 4) {
      std::uint32_t words[4] = {};
#pragma unroll
      for (int i = first; i < min(first + 4, chunks); ++i)
        words[i - first] = pack<E>(output[4 * i + 2 * r] * share, output[4 * i + 2 * r + 1] * share);
      transpose_quad(words);
      const int own_chunk = first + lane % 4;
      if (exists && own_chunk < chunks) store_chunk(words, row, own_chunk);
    }
    if (result.lse && exists && lane % 4 == 0) *result.lse_at(own, batch, head) = lse;
  }
}

/// Stores eight numbers, times `factor`, as that chunk of a row, or merges them with `kept` times those
/// there.
template <class E, class Out>
__device__ void store_scaled(const AttentionResult<E, Out>& result, const float* numbers, float factor,
                             float kept, Out* row, int chunk) {
  float out[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) out[i] = factor * numbers[i];
  if (result.merges) {
    Packed<8, E> there;
    float widened[8];
    there.load(reinterpret_cast<const E*>(row) + 8 * chunk);
    there.widen(widened);
#pragma unroll
    for (int i = 0; i < 8; ++i) out[i] = fmaf(kept, widened[i], out[i]);
  }
  std::uint32_t words[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) words[i] = pack<E>(out[2 * i], out[2 * i + 1]);
  store_chunk(words, row, chunk);
}

/// Stores the result of attention over no keys for `count` rows from `first` on, of those below `tokens`, by
/// `threads` threads, of which this is `thread`.
template <class E, class Out>
__device__ void store_nothing(const AttentionResult<E, Out>& result, int first, int count, int tokens,
                              int batch, int head, int head_dim, int thread, int threads) {
  if (result.merges) return;
  const int exist = min(count, tokens - first);
  for (int i = thread; i < exist * head_dim; i += threads)
    result.row(first + i / head_dim, batch, head)[i % head_dim] = Out(0.f);
  for (int i = thread; i < exist && result.lse; i += threads)
    *result.lse_at(first + i, batch, head) = -INFINITY;
}

/// Writes the result of attention over no keys: zeros, and a log-sum-exp of −∞.
template <class E, class Out>
__global__ void attend_nothing(AttentionResult<E, Out> result, int head_dim) {
  Out* row = result.row(blockIdx.x, blockIdx.y, blockIdx.z);
  for (int d = threadIdx.x; d < head_dim; d += blockDim.x) row[d] = Out(0.f);
  if (result.lse && threadIdx.x == 0) *result.lse_at(blockIdx.x, blockIdx.y, blockIdx.z) = -INFINITY;
}

}  // namespace weft::inline v0_1::kernels
