// Attention on sm_80 and on GPUs without a kernel of their own. A block takes 128 queries of one head and
// goes through the keys in tiles; while its warps compute with one tile, the next is loaded asynchronously.
#pragma once

#include "weft/attention/key_tiles.cuh"
#include "weft/attention/operands.cuh"
#include "weft/attention/softmax.cuh"
#include "weft/check.cuh"
#include "weft/shared_memory.cuh"
#include "weft/sm80/copy.cuh"
#include "weft/sm80/product.cuh"
#include "weft/tier.cuh"

namespace weft::inline v0_1::kernels::sm80 {

/// One warp's 32 queries in two halves of 16, which share each read of keys and values.
template <class E, class Out, int HeadDim, bool masks>
struct Attention {
  static constexpr int halves = 2, warps = 4, threads = warp_size * warps, queries = 16 * halves * warps;
  static constexpr int keys = HeadDim <= 96 ? 64 : 32;  // a tile
  static constexpr int chunks = HeadDim / 8;            // of 16 bytes
  static constexpr int pitch = 16 * (chunks | 1);       // odd, so that eight rows meet all banks
  static constexpr int steps = HeadDim / 16;            // of 16 features; 8 may remain
  static constexpr bool remains = HeadDim % 16 != 0;
  // Queries stay in registers where these suffice, and are loaded through the stage of the second tile.
  static constexpr bool keeps_queries = HeadDim <= 96;
  static constexpr int tile_bytes = keys * pitch, query_bytes = queries * pitch;
  static constexpr int bytes = 4 * tile_bytes + (keeps_queries ? 0 : query_bytes);
  static_assert(!keeps_queries || query_bytes <= 2 * tile_bytes);

  const AttentionOperands<E, Out>& operands;
  const std::uint32_t memory;
  const int first_query = blockIdx.x * queries, head = blockIdx.y, batch = blockIdx.z;
  const int key_head = head / operands.group;
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  std::uint32_t kept[halves][keeps_queries ? HeadDim / 4 : 1];
  float logits[halves][keys / 2];
  std::uint32_t weights[halves][keys / 4];
  float output[halves][HeadDim / 2] = {};
  RunningSoftmax softmax[halves];

  __device__ Attention(const AttentionOperands<E, Out>& o, std::uint32_t m) : operands(o), memory(m) {}

  __device__ std::uint32_t keys_at(int stage) const { return memory + 2 * stage * tile_bytes; }
  __device__ std::uint32_t values_at(int stage) const { return keys_at(stage) + tile_bytes; }
  __device__ std::uint32_t queries_at() const { return keys_at(keeps_queries ? 1 : 2); }

  /// Issues the copies of `Rows` rows, of which `count` exist, by eight threads a row.
  template <int Rows>
  static __device__ void fetch(std::uint32_t to, const E* from, Index stride, int count) {
    const int row = threadIdx.x / 8, first = threadIdx.x % 8;
    from += row * stride + 8 * first;
    to += row * pitch + 16 * first;
#pragma unroll
    for (int r = 0; r < Rows; r += threads / 8, from += threads / 8 * stride) {
#pragma unroll
      for (int c = 0; c < chunks; c += 8) {
        if (first + c < chunks) copy_async(to + r * pitch + 16 * c, from + 8 * c, row + r < count);
      }
    }
  }

  __device__ void fetch_queries() const {
    fetch<queries>(queries_at(), head_row(operands.q, first_query, batch, head), operands.q.stride[0],
                   operands.q.extent[0] - first_query);
    copies_commit();
  }
  __device__ void fetch_tile(int tile, int stage) const {
    const int token = tile * keys, count = operands.k.extent[0] - token;
    fetch<keys>(keys_at(stage), head_row(operands.k, token, batch, key_head), operands.k.stride[0], count);
    fetch<keys>(values_at(stage), head_row(operands.v, token, batch, key_head), operands.v.stride[0], count);
    copies_commit();
  }

  /// Loads `Depth` features of the queries, 16 or the 8 that remain, from 16 · step on, as a left operand.
  template <int Depth>
  __device__ void load_queries(int half, int step, std::uint32_t* to) const {
    const int row = 16 * (halves * warp + half) + lane % 16;
    load_matrices<Depth / 4>(to, queries_at() + row * pitch + 16 * (lane / 16) + 32 * step);
  }
  __device__ void keep_queries() {
#pragma unroll
    for (int h = 0; h < halves; ++h) {
#pragma unroll
      for (int i = 0; i < steps; ++i) load_queries<16>(h, i, &kept[h][4 * i]);
      if constexpr (remains) load_queries<8>(h, steps, &kept[h][4 * steps]);
    }
  }
  template <int Depth>
  __device__ void take_queries(int step, std::uint32_t (&to)[halves][Depth / 4]) const {
#pragma unroll
    for (int h = 0; h < halves; ++h) {
      if constexpr (keeps_queries) {
#pragma unroll
        for (int i = 0; i < Depth / 4; ++i) to[h][i] = kept[h][4 * step + i];
      } else {
        load_queries<Depth>(h, step, to[h]);
      }
    }
  }

  /// Computes logits = q · kᵀ.
  __device__ void multiply_keys(int stage) {
#pragma unroll
    for (int h = 0; h < halves; ++h) {
#pragma unroll
      for (float& x : logits[h]) x = 0;
    }
    const std::uint32_t from = keys_at(stage) + (lane / 16 * 8 + lane % 8) * pitch + lane / 8 % 2 * 16;
#pragma unroll
    for (int i = 0; i < steps; ++i) {
      std::uint32_t a[halves][4];
      take_queries<16>(i, a);
#pragma unroll
      for (int n = 0; n < keys; n += 16) {
        std::uint32_t b[4];
        load_matrices<4>(b, from + n * pitch + 32 * i);
#pragma unroll
        for (int h = 0; h < halves; ++h) {
          multiply<E, 16>(&logits[h][n / 2], a[h], b);
          multiply<E, 16>(&logits[h][n / 2 + 4], a[h], b + 2);
        }
      }
    }
    if constexpr (remains) {
      std::uint32_t a[halves][2];
      take_queries<8>(steps, a);
#pragma unroll
      for (int n = 0; n < keys; n += 32) {
        std::uint32_t b[4];
        load_matrices<4>(b, keys_at(stage) + (n + lane) * pitch + 32 * steps);
#pragma unroll
        for (int h = 0; h < halves; ++h) {
#pragma unroll
          for (int i = 0; i < 4; ++i) multiply<E, 8>(&logits[h][n / 2 + 4 * i], a[h], b + i);
        }
      }
    }
  }

  using Tiles = TilesOfKeys<keys, masks>;

  /// Masks the keys of a tile that are hidden or do not exist.
  __device__ void mask(HiddenKeys hidden) {
#pragma unroll
    for (int h = 0; h < halves; ++h) {
#pragma unroll
      for (int i = 0; i < keys / 2; ++i) {
        if (hidden(i / 4 * 8 + lane % 4 * 2 + i % 2)) logits[h][i] = -INFINITY;
      }
    }
  }

  __device__ void begin_softmax() {
#pragma unroll
    for (int h = 0; h < halves; ++h) {
      softmax[h] = {operands.scale};
      softmax[h].begin(logits[h]);
    }
  }

  /// Replaces logits by weights.
  __device__ void weigh() {
#pragma unroll
    for (int h = 0; h < halves; ++h) {
      if (softmax[h].template exponentiate<E>(logits[h], weights[h])) continue;
      float factor[2];
      softmax[h].follow(logits[h], factor);
      softmax[h].template exponentiate<E>(logits[h], weights[h]);
#pragma unroll
      for (int i = 0; i < HeadDim / 2; ++i) output[h][i] *= factor[i / 2 % 2];
    }
  }

  /// Computes output += weights · v.
  __device__ void multiply_values(int stage) {
    const std::uint32_t from = values_at(stage) + lane % 16 * pitch + lane / 16 * 16;
#pragma unroll
    for (int j = 0; j < keys / 16; ++j) {
#pragma unroll
      for (int c = 0; c < chunks; c += 2) {
        constexpr bool transposed = true;
        const bool pair = c + 1 < chunks;
        std::uint32_t b[4];
        if (pair) {
          load_matrices<4, transposed>(b, from + 16 * j * pitch + 16 * c);
        } else {
          load_matrices<2, transposed>(b, from + 16 * j * pitch + 16 * c);
        }
#pragma unroll
        for (int h = 0; h < halves; ++h) {
          multiply<E, 16>(&output[h][4 * c], &weights[h][4 * j], b);
          if (pair) multiply<E, 16>(&output[h][4 * c + 4], &weights[h][4 * j], b + 2);
        }
      }
    }
  }

  /// Goes through the tiles of keys from the last to the first, so that without hidden keys only the first
  /// one needs a mask.
  __device__ void run() {
    const Tiles tiles(operands.mask, batch, operands.k.extent[0]);
    if constexpr (masks) {
      if (tiles.empty())
        return store_nothing(operands.result, first_query, queries, operands.q.extent[0], batch, head,
                             HeadDim, threadIdx.x, threads);
    }
    fetch_queries();
    fetch_tile(tiles.last(), 0);
    if constexpr (keeps_queries) {
      copies_wait<1>();
      __syncthreads();
      keep_queries();
    }
    for (int tile = tiles.last(), stage = 0; tile >= 0; tile = tiles.next(tile), stage ^= 1) {
      copies_wait<0>();
      __syncthreads();
      if (tiles.next(tile) >= 0) fetch_tile(tiles.next(tile), stage ^ 1);
      multiply_keys(stage);
      if (tiles.hides_some(tile)) mask(tiles.hidden(tile));
      if (tile == tiles.last()) begin_softmax();
      weigh();
      multiply_values(stage);
    }
#pragma unroll
    for (int h = 0; h < halves; ++h) {
      store_rows(operands.result, softmax[h], output[h], first_query + 16 * (halves * warp + h),
                 operands.q.extent[0], batch, head);
    }
  }
};

template <class E, class Out, int HeadDim, bool masks>
__global__ __launch_bounds__(Attention<E, Out, HeadDim, masks>::threads,
                             2) void attend(const __grid_constant__ AttentionOperands<E, Out> operands) {
  if constexpr (compiled_tier == Tier::sm80) {
    extern __shared__ __align__(vector_bytes) unsigned char memory[];
    Attention<E, Out, HeadDim, masks>(operands, shared_address(memory)).run();
  }
}

template <int HeadDim, bool masks, class E, class Out>
void launch(cudaStream_t stream, const AttentionOperands<E, Out>& operands) {
  using A = Attention<E, Out, HeadDim, masks>;
  const auto& [data, stride, extent, width] = operands.q;
  const dim3 blocks((extent[0] + A::queries - 1) / A::queries, extent[2], extent[1]);
  const auto kernel = attend<E, Out, HeadDim, masks>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, A::bytes),
        "reserving attention's shared memory");
  kernel<<<blocks, A::threads, A::bytes, stream>>>(operands);
  check(cudaGetLastError(), "launching attention");
}

template <int HeadDim, class E, class Out>
void launch_attention(cudaStream_t stream, const AttentionOperands<E, Out>& operands) {
  if (operands.mask.empty()) {
    launch<HeadDim, false>(stream, operands);
  } else {
    launch<HeadDim, true>(stream, operands);
  }
}

}  // namespace weft::inline v0_1::kernels::sm80
