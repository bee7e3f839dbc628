// Attention without tensor cores, in float32 and for any head dimension: one warp a query.
#pragma once

#include <cmath>
#include <stdexcept>

#include "weft/check.cuh"
#include "weft/core/head_split.hpp"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/rows.cuh"

namespace weft::inline v0_1::kernels {

/// Scores that are the products of a query with all keys.
struct ProductScores {
  /// Returns how many of the keys, the first, the query of `token` attends to.
  __device__ int keys(int /*token*/, int count) const { return count; }
  __device__ float operator()(float product, int /*head*/, int /*token*/, int /*key*/) const {
    return product;
  }
};

/// Computes attention of one row a warp; `Chunks` · warp_size is at least the head dimension.
template <int Chunks, class E, class Scores>
__global__ void plain_attention_rows(RowsOf<const E, 4> q, RowsOf<const E, 4> k, RowsOf<const E, 4> v,
                                     RowsOf<E, 4> out, RowsOf<float, 3> lse, bool merges, KeyMask mask,
                                     Index rows, float scale, Scores scores) {
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const int lane = static_cast<int>(threadIdx.x), width = out.width, heads = out.extent[2];
  const int image = static_cast<int>(row / heads % out.extent[1]),
            token = static_cast<int>(row / heads / out.extent[1]), head = static_cast<int>(row % heads),
            key_head = head / (heads / k.extent[2]), keys = scores.keys(token, k.extent[0]);
  const E* const query = q.row(row);
  float x[Chunks], sum[Chunks] = {};
#pragma unroll
  for (int c = 0; c < Chunks; ++c)
    x[c] = c * warp_size + lane < width ? static_cast<float>(query[c * warp_size + lane]) * scale : 0;
  float highest = -INFINITY, total = 0;
  const Range hidden = mask.hidden(image, keys);
  const int hidden_begin = static_cast<int>(hidden.begin), hidden_end = static_cast<int>(hidden.end);
  for (int key = hidden_begin > 0 ? 0 : hidden_end; key < keys;
       key = key + 1 == hidden_begin ? hidden_end : key + 1) {
    const E* const key_row = head_row(k, key, image, key_head);
    const E* const value_row = head_row(v, key, image, key_head);
    float logit = 0;
#pragma unroll
    for (int c = 0; c < Chunks; ++c)
      if (c * warp_size + lane < width) logit += x[c] * static_cast<float>(key_row[c * warp_size + lane]);
    logit = scores(sum_over_lanes<warp_size>(logit), head, token, key);
    const float next = fmaxf(highest, logit), kept = expf(highest - next), weight = expf(logit - next);
    total = total * kept + weight;
    highest = next;
#pragma unroll
    for (int c = 0; c < Chunks; ++c)
      if (c * warp_size + lane < width)
        sum[c] = sum[c] * kept + weight * static_cast<float>(value_row[c * warp_size + lane]);
  }
  if (merges && !(total > 0)) return;  // all keys are hidden
  float* const lse_at = lse.data ? lse.row(row / lse.width) + row % lse.width : nullptr;
  const float own_lse = total > 0 ? highest + logf(total) : -INFINITY;
  const MergeWeights weights = merges ? merge_weights(*lse_at, own_lse) : MergeWeights{0, 1, own_lse};
  __syncwarp();  // all lanes have read the log-sum-exp that is about to be replaced
  E* const to = out.row(row);
#pragma unroll
  for (int c = 0; c < Chunks; ++c) {
    const int column = c * warp_size + lane;
    if (column >= width) continue;
    const float own = total > 0 ? sum[c] / total : 0, there = merges ? static_cast<float>(to[column]) : 0;
    to[column] = static_cast<E>(weights.added * own + weights.kept * there);
  }
  if (lse_at && lane == 0) *lse_at = weights.lse;
}

/// Launches attention of at least one row, with `scale` as the factor of the products.
template <class E, class Scores>
void launch_plain_attention(cudaStream_t stream, const RowsOf<const E, 4>& q, const RowsOf<const E, 4>& k,
                            const RowsOf<const E, 4>& v, const RowsOf<E, 4>& out, const RowsOf<float, 3>& lse,
                            bool merges, const KeyMask& mask, float scale, const Scores& scores) {
  constexpr int few = 4, most = 16;  // chunks
  if (out.width > most * warp_size)
    throw std::logic_error(sentence("attention has heads of ", out.width, " features; up to ",
                                    most * warp_size, " are possible"));
  constexpr int warps = 4;
  const dim3 block(warp_size, warps);
  const Index rows = out.count();
  if (out.width <= few * warp_size) {
    plain_attention_rows<few>
        <<<blocks_for(rows, warps), block, 0, stream>>>(q, k, v, out, lse, merges, mask, rows, scale, scores);
  } else {
    plain_attention_rows<most>
        <<<blocks_for(rows, warps), block, 0, stream>>>(q, k, v, out, lse, merges, mask, rows, scale, scores);
  }
  check(cudaGetLastError(), "launching attention");
}

/// Computes attention of q (n, B, H, D) over k, v (S, B, K, D), where K divides H, into out (n, B, H, D) and
/// lse (n, B, H), which may be null. With Output::merge, out and lse hold attention over other keys, and then
/// attention over both. Keys that `mask` hides do not exist.
template <class E>
void plain_attention(cudaStream_t stream, RowsOf<const E, 4> q, RowsOf<const E, 4> k, RowsOf<const E, 4> v,
                     RowsOf<E, 4> out, RowsOf<float, 3> lse, Output output = Output::replace,
                     const KeyMask& mask = {}) {
  const bool merges = output == Output::merge;
  check_key_heads(q.extent[2], k.extent[2]);
  check_key_mask(mask, q.extent[1]);
  if (out.count() == 0 || (merges && k.extent[0] == 0)) return;
  if (merges && !lse.data)
    throw std::logic_error(
        "attention merges by log-sum-exps, and was given none of the output that is there");
  const float scale = 1 / std::sqrt(static_cast<float>(out.width));
  launch_plain_attention<E>(stream, q, k, v, out, lse, merges, mask, scale, ProductScores{});
}

}  // namespace weft::inline v0_1::kernels
