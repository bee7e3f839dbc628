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

/// The tiles of text_attention_tiles: a block has `queries` of one head, and goes through its keys `keys` at
/// a time.
struct TextTiles {
  static constexpr int warps = 8, queries_a_warp = 4, queries = warps * queries_a_warp;
  static constexpr int keys = warp_size, head_dim = 64;
  static constexpr int padding = 4;  // numbers, so that rows of keys begin in different banks
};

/// Loads rows of a head from `first` on to shared memory, in float32; zeros where there is none.
template <int Rows, int Stride, class E>
__device__ void load_rows(float (&to)[Rows][Stride], const RowsOf<const E, 4>& x, int first, int rows,
                          int head) {
  for (int i = threadIdx.y * warp_size + threadIdx.x; i < Rows * TextTiles::head_dim;
       i += TextTiles::warps * warp_size) {
    const int row = i / TextTiles::head_dim, column = i % TextTiles::head_dim;
    const bool is_there = first + row < rows && column < x.width;
    to[row][column] = is_there ? static_cast<float>(head_row(x, first + row, 0, head)[column]) : 0;
  }
}

/// Computes attention of heads of up to 64 features. Scores of a tile are a key a lane, outputs two features
/// a lane.
template <class E, class Scores>
__global__ __launch_bounds__(TextTiles::warps* warp_size) void text_attention_tiles(
    RowsOf<const E, 4> q, RowsOf<const E, 4> k, RowsOf<const E, 4> v, RowsOf<E, 4> out, float scale,
    Scores scores) {
  using T = TextTiles;
  __shared__ alignas(16) float queries[T::queries][T::head_dim];
  __shared__ alignas(16) float keys[T::keys][T::head_dim + T::padding];
  __shared__ alignas(16) float values[T::keys][T::head_dim];
  __shared__ float weights[T::warps][T::keys][T::queries_a_warp];
  const int lane = threadIdx.x, warp = threadIdx.y, head = blockIdx.y, tokens = out.extent[0],
            count = k.extent[0], block_first = static_cast<int>(blockIdx.x) * T::queries,
            first = block_first + warp * T::queries_a_warp, last = min(block_first + T::queries, tokens) - 1;
  const auto exponential = [](float x) { return sizeof(E) == 2 ? __expf(x) : expf(x); };
  load_rows(queries, q, block_first, tokens, head);
  float highest[T::queries_a_warp], total[T::queries_a_warp] = {};
  float2 sums[T::queries_a_warp] = {};
#pragma unroll
  for (float& x : highest) x = -INFINITY;

  const int visible = scores.keys(last, count);  // by the block's last query, which sees the most
  for (int begin = 0; begin < visible; begin += T::keys) {
    __syncthreads();
    load_rows(keys, k, begin, count, head);
    load_rows(values, v, begin, count, head);
    __syncthreads();
    float logits[T::queries_a_warp] = {};
#pragma unroll
    for (int c = 0; c < T::head_dim; c += 4) {
      const float4 key = *reinterpret_cast<const float4*>(&keys[lane][c]);
#pragma unroll
      for (int i = 0; i < T::queries_a_warp; ++i) {
        const float4 x = *reinterpret_cast<const float4*>(&queries[warp * T::queries_a_warp + i][c]);
        logits[i] += x.x * key.x + x.y * key.y + x.z * key.z + x.w * key.w;
      }
    }
    const int key = begin + lane;
#pragma unroll
    for (int i = 0; i < T::queries_a_warp; ++i) {
      const int token = min(first + i, tokens - 1);
      const float logit =
          key < scores.keys(token, count) ? scores(logits[i] * scale, head, token, key) : -INFINITY;
      float next = logit;
#pragma unroll
      for (int offset = warp_size / 2; offset > 0; offset /= 2)
        next = fmaxf(next, __shfl_xor_sync(all_lanes, next, offset));
      next = fmaxf(next, highest[i]);
      const float kept = next > -INFINITY ? exponential(highest[i] - next) : 1,
                  weight = logit > -INFINITY ? exponential(logit - next) : 0;
      total[i] = total[i] * kept + sum_over_lanes<warp_size>(weight);
      sums[i].x *= kept, sums[i].y *= kept;
      highest[i] = next;
      weights[warp][lane][i] = weight;
    }
    __syncwarp();
#pragma unroll
    for (int j = 0; j < T::keys; ++j) {
      const float2 value = *reinterpret_cast<const float2*>(&values[j][2 * lane]);
#pragma unroll
      for (int i = 0; i < T::queries_a_warp; ++i) {
        const float weight = weights[warp][j][i];
        sums[i].x += weight * value.x, sums[i].y += weight * value.y;
      }
    }
    __syncwarp();
  }
#pragma unroll
  for (int i = 0; i < T::queries_a_warp; ++i) {
    if (first + i >= tokens) continue;
    E* const to = out.data + (first + i) * out.stride[0] + head * out.stride[2];
    if (2 * lane < out.width) to[2 * lane] = static_cast<E>(sums[i].x / total[i]);
    if (2 * lane + 1 < out.width) to[2 * lane + 1] = static_cast<E>(sums[i].y / total[i]);
  }
}

/// Computes softmax(scale · q · kᵀ + bias) · v: q, out (tokens, 1, heads, head_dim); k, v
/// (keys, 1, heads, head_dim), one key at least.
template <class E>
void text_attention(cudaStream_t stream, RowsOf<const E, 4> q, RowsOf<const E, 4> k, RowsOf<const E, 4> v,
                    float scale, const DistanceScores& scores, RowsOf<E, 4> out) {
  if (out.count() == 0) return;
  if (out.width > TextTiles::head_dim || k.extent[2] != out.extent[2]) {
    RowsOf<float, 3> no_lse{};
    return launch_plain_attention<E>(stream, q, k, v, out, no_lse, false, {}, scale, scores);
  }
  const dim3 grid(blocks_for(out.extent[0], TextTiles::queries), static_cast<unsigned>(out.extent[2]));
  text_attention_tiles<E>
      <<<grid, dim3(warp_size, TextTiles::warps), 0, stream>>>(q, k, v, out, scale, scores);
  check(cudaGetLastError(), "launching attention to a text");
}

}  // namespace weft::inline v0_1::kernels
