// Attention among one text's tokens, whose scores have a bias by distance or no later keys.
#pragma once

#include "weft/plain_attention.cuh"

namespace weft::inline v0_1::kernels {

/// Scores with a bias by key − query, of all keys or of those up to the query.
struct DistanceScores {
  const float* bias;  // (heads, 2 · tokens − 1), or null
  Index head_stride;
  int tokens;
  bool is_causal;

  __device__ int keys(int token, int count) const { return is_causal && token < count ? token + 1 : count; }
  __device__ float operator()(float product, int head, int token, int key) const {
    return bias ? product + bias[head * head_stride + key - token + tokens - 1] : product;
  }
};

/// Computes softmax(scale · q · kᵀ + bias) · v: q, out (tokens, 1, heads, head_dim); k, v
/// (keys, 1, heads, head_dim), one key at least.
template <class E>
void text_attention(cudaStream_t stream, RowsOf<const E, 4> q, RowsOf<const E, 4> k, RowsOf<const E, 4> v,
                    float scale, const DistanceScores& scores, RowsOf<E, 4> out) {
  if (out.count() == 0) return;
  RowsOf<float, 3> no_lse{};
  launch_plain_attention<E>(stream, q, k, v, out, no_lse, false, {}, scale, scores);
}

}  // namespace weft::inline v0_1::kernels
