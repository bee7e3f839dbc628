// Attention in half precision on sm_70 and sm_75. The layout of their matrix fragments is not documented, so
// logits go to the softmax, and weights back, through shared memory.
#pragma once

#include <mma.h>

#include "weft/attention/key_tiles.cuh"
#include "weft/attention/operands.cuh"
#include "weft/attention/softmax.cuh"
#include "weft/check.cuh"
#include "weft/tier.cuh"

namespace weft::inline v0_1::kernels::sm70 {

/// One warp's 16 queries, two threads a row. Four warps share tiles of keys and values.
template <int HeadDim, bool masks>
struct Attention {
  static constexpr int warps = 4, threads = warp_size * warps, queries = 16 * warps;
  static constexpr int keys = 32;                    // a tile
  static constexpr int steps = (HeadDim + 15) / 16;  // of 16 features, the last one padded
  static constexpr int columns = 16 * steps + 8;     // 8 more, so that eight rows meet all banks
  static constexpr int room = keys + 4;              // of a row of floats, for the same reason

  struct Shared {
    alignas(32) __half k[keys][columns], v[keys][columns];
    /// Scratch memory of each warp, for queries, logits, weights or output.
    alignas(32) float scratch[warps][16][room];
  };

  template <class Use, class T, class... Layout>
  using Matrix = nvcuda::wmma::fragment<Use, 16, 16, 16, T, Layout...>;
  using Sums = Matrix<nvcuda::wmma::accumulator, float>;
  using Left = Matrix<nvcuda::wmma::matrix_a, __half, nvcuda::wmma::row_major>;
  template <class Layout>
  using Right = Matrix<nvcuda::wmma::matrix_b, __half, Layout>;

  const AttentionOperands<__half>& operands;
  Shared& shared;
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, row = lane / 2, side = lane % 2;
  const int query = blockIdx.x * queries + 16 * warp + row, head = blockIdx.y, batch = blockIdx.z;
  const int key_head = head / operands.group;
  float (&floats)[16][room] = shared.scratch[warp];
  __half (&halves)[16][2 * room] = reinterpret_cast<__half (&)[16][2 * room]>(floats);
  Left q[steps];
  Sums output[steps];
  float logits[keys / 2];  // of this thread's side, to the base of two
  float reference, sum = 0;

  __device__ Attention(const AttentionOperands<__half>& o, Shared& s) : operands(o), shared(s) {}

  /// Copies eight numbers of a row, or zeros if they do not exist.
  static __device__ void copy(__half* to, const __half* from, bool exists) {
    *reinterpret_cast<uint4*>(to) = exists ? *reinterpret_cast<const uint4*>(from) : uint4{};
  }

  /// Reduces x over the two threads of a row; both receive the result.
  template <class Op>
  static __device__ float over_sides(float x, Op op) {
    return op(x, __shfl_xor_sync(all_lanes, x, 1));
  }

  __device__ void load_queries() {
    const __half* const from = head_row(operands.q, query, batch, head);
#pragma unroll
    for (int i = 0; i < steps; ++i) {
      const int column = 16 * i + 8 * side;
      copy(&halves[row][8 * side], from + column, query < operands.q.extent[0] && column < HeadDim);
      __syncwarp();
      load_matrix_sync(q[i], &halves[0][0], 2 * room);
      __syncwarp();
    }
  }

  __device__ void load_tile(int token) {
    constexpr int chunks = 2 * steps;  // of eight numbers
    __syncthreads();
    for (int i = threadIdx.x; i < keys * chunks; i += threads) {
      const int key = i / chunks, column = i % chunks * 8;
      const bool exists = token + key < operands.k.extent[0] && column < HeadDim;
      copy(&shared.k[key][column], head_row(operands.k, token + key, batch, key_head) + column, exists);
      copy(&shared.v[key][column], head_row(operands.v, token + key, batch, key_head) + column, exists);
    }
    __syncthreads();
  }

  using Tiles = TilesOfKeys<keys, masks>;

  /// Computes logits = scale · q · kᵀ for a tile of keys, and masks those that are hidden or do not exist.
  __device__ void multiply_keys(const Tiles& tiles, int tile) {
#pragma unroll
    for (int n = 0; n < keys; n += 16) {
      Sums sums;
      fill_fragment(sums, 0.f);
#pragma unroll
      for (int i = 0; i < steps; ++i) {
        Right<nvcuda::wmma::col_major> k;
        load_matrix_sync(k, &shared.k[n][16 * i], columns);
        mma_sync(sums, q[i], k, sums);
      }
      store_matrix_sync(&floats[0][n], sums, room, nvcuda::wmma::mem_row_major);
    }
    __syncwarp();
    const HiddenKeys hidden = tiles.hidden(tile);
#pragma unroll
    for (int i = 0; i < keys / 2; ++i) {
      const int key = keys / 2 * side + i;
      logits[i] = hidden(key) ? -INFINITY : operands.scale * floats[row][key];
    }
    __syncwarp();
  }

  __device__ float highest() const {
    float top = logits[0];
#pragma unroll
    for (int i = 1; i < keys / 2; ++i) top = fmaxf(top, logits[i]);
    return over_sides(top, [](float a, float b) { return fmaxf(a, b); });
  }

  /// Computes this thread's weights; returns their sum.
  __device__ float exponentiate() {
    float added = 0;
#pragma unroll
    for (int i = 0; i < keys / 2; i += 2) {
      const float low = exp2_fast(logits[i] - reference), high = exp2_fast(logits[i + 1] - reference);
      *reinterpret_cast<__half2*>(&halves[row][keys / 2 * side + i]) = __floats2half2_rn(low, high);
      added += low + high;
    }
    return added;
  }

  /// Raises the references to the maxima of the logits, and rescales the sums and the output.
  __device__ void follow() {
    const float top = fmaxf(reference, highest()), factor = exp2_fast(reference - top);
    reference = top;
    sum *= factor;
#pragma unroll
    for (int i = 0; i < steps; ++i) {
      through_scratch(output[i], [&](float(&numbers)[8]) {
#pragma unroll
        for (float& x : numbers) x *= factor;
      });
      load_matrix_sync(output[i], &floats[0][0], room, nvcuda::wmma::mem_row_major);
      __syncwarp();
    }
  }

  /// Replaces logits by weights, by the rule of RunningSoftmax.
  __device__ void weigh() {
    float added = exponentiate();
    if (!__all_sync(all_lanes, added < RunningSoftmax::limit)) {
      __syncwarp();
      follow();
      added = exponentiate();
    }
    sum += added;
    __syncwarp();
  }

  /// Computes output += weights · v.
  __device__ void multiply_values() {
#pragma unroll
    for (int j = 0; j < keys; j += 16) {
      Left weights;
      load_matrix_sync(weights, &halves[0][j], 2 * room);
#pragma unroll
      for (int i = 0; i < steps; ++i) {
        Right<nvcuda::wmma::row_major> v;
        load_matrix_sync(v, &shared.v[j][16 * i], columns);
        mma_sync(output[i], weights, v, output[i]);
      }
    }
    __syncwarp();
  }

  /// Stores a matrix to scratch memory and calls `use` with this thread's eight numbers there.
  template <class Use>
  __device__ void through_scratch(const Sums& matrix, Use use) {
    store_matrix_sync(&floats[0][0], matrix, room, nvcuda::wmma::mem_row_major);
    __syncwarp();
    use(reinterpret_cast<float(&)[8]>(floats[row][8 * side]));
    __syncwarp();
  }

  __device__ void store() {
    sum = over_sides(sum, [](float a, float b) { return a + b; });
    const AttentionResult<__half>& result = operands.result;
    const bool exists = query < operands.q.extent[0];
    MergeWeights weights{};
    if (exists) weights = result.weights(query, batch, head, (reference + log2f(sum)) * ln_2);
    const float share = weights.added / sum;
#pragma unroll
    for (int i = 0; i < steps; ++i) {
      const int column = 16 * i + 8 * side;
      through_scratch(output[i], [&](float(&numbers)[8]) {
        if (!exists || column >= HeadDim) return;
        __half* const to = result.row(query, batch, head) + column;
        float there[8] = {};
        if (result.merges) load(to, there);
#pragma unroll
        for (int d = 0; d < 8; ++d) numbers[d] = numbers[d] * share + there[d] * weights.kept;
        kernels::store(numbers, to);
      });
    }
    if (result.lse && exists && side == 0) *result.lse_at(query, batch, head) = weights.lse;
  }

  /// Goes through the tiles of keys from the last to the first, which has the keys that do not exist.
  __device__ void run() {
    const Tiles tiles(operands.mask, batch, operands.k.extent[0]);
    if constexpr (masks) {
      if (tiles.empty())
        return store_nothing(operands.result, blockIdx.x * queries, queries, operands.q.extent[0], batch,
                             head, HeadDim, threadIdx.x, threads);
    }
    load_queries();
#pragma unroll
    for (int i = 0; i < steps; ++i) fill_fragment(output[i], 0.f);
    for (int tile = tiles.last(); tile >= 0; tile = tiles.next(tile)) {
      load_tile(tile * keys);
      multiply_keys(tiles, tile);
      if (tile == tiles.last()) reference = highest();
      weigh();
      multiply_values();
    }
    store();
  }
};

template <int HeadDim, bool masks>
__global__ __launch_bounds__(Attention<HeadDim, masks>::threads) void attend(
    const __grid_constant__ AttentionOperands<__half> operands) {
  if constexpr (compiled_tier == Tier::sm70) {
    __shared__ typename Attention<HeadDim, masks>::Shared shared;
    Attention<HeadDim, masks>(operands, shared).run();
  }
}

template <int HeadDim>
void launch_attention(cudaStream_t stream, const AttentionOperands<__half>& operands) {
  using A = Attention<HeadDim, false>;
  const auto& extent = operands.q.extent;
  const dim3 blocks((extent[0] + A::queries - 1) / A::queries, extent[2], extent[1]);
  const auto kernel = operands.mask.empty() ? attend<HeadDim, false> : attend<HeadDim, true>;
  kernel<<<blocks, A::threads, 0, stream>>>(operands);
  check(cudaGetLastError(), "launching attention");
}

}  // namespace weft::inline v0_1::kernels::sm70
