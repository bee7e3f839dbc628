// Attention on sm_90a. One block a multiprocessor takes tiles of queries in turn. Its first warpgroup feeds keys and
// values through rings in shared memory; each of the others owns 64 rows of the tile. While one of them takes
// exponentials, the matrix units work for another, and for its own previous tile of keys.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/attention/result.cuh"
#include "weft/attention/softmax.cuh"
#include "weft/sm90/tma.cuh"
#include "weft/sm90/wgmma.cuh"

namespace weft::kernels::sm90 {

/// How the work is cut. Found by measurement, see NOTES.md.
template <int HeadDim>
struct Tiling {
  static constexpr int consumers = 2;
  static constexpr int keys = 128;
  static constexpr int stages = 3;
  static constexpr bool turns = true;
  static constexpr int box_columns = 64;
  static constexpr int cluster = 2;
  static constexpr int early = 1;
  static constexpr bool qreg = true;
};

struct BoxMaps {
  CUtensorMap full, rest;
};
struct Maps {
  BoxMaps q, k, v;
};

template <class E>
struct Problem {
  AttentionResult<E> result;
  int queries, keys, heads;
  int row_tiles, tiles;    // of one head, of all
  float scale;             // logits to powers of two
};

/// Where a tile of queries begins.
struct Place {
  int token, batch, head;

  template <class E>
  __device__ Place(const Problem<E>& p, int tile, int rows)
      : token(tile % p.row_tiles * rows), batch(tile / p.row_tiles / p.heads), head(tile / p.row_tiles % p.heads) {}
};

template <class E, int HeadDim, class Tiles>
struct Attention {
  static constexpr int consumers = Tiles::consumers, keys = Tiles::keys, stages = Tiles::stages;
  static constexpr int rows = 64 * consumers;
  static constexpr int box_columns = Tiles::box_columns, box_steps = box_columns / 16;
  static constexpr int boxes = (HeadDim + box_columns - 1) / box_columns;  // side by side
  static constexpr int full_boxes = HeadDim / box_columns, rest = HeadDim % box_columns;
  static constexpr int cluster = Tiles::cluster;
  static constexpr int k_steps = (HeadDim + 15) / 16;
  static constexpr int threads = 128 * (consumers + 1);
  static constexpr int producer_registers = consumers == 2 ? 40 : 32;
  static constexpr int consumer_registers = consumers == 2 ? 232 : 160;
  static_assert(keys % 16 == 0 && keys % (8 * cluster) == 0 && consumers >= 2 && consumers <= 3);

  struct Shared {
    alignas(1024) E q[boxes][rows][box_columns];
    alignas(1024) E k[stages][boxes][keys][box_columns];
    alignas(1024) E v[stages][boxes][keys][box_columns];
    Barrier q_full, q_free, k_full[stages], k_free[stages], v_full[stages], v_free[stages];
  };

  using Logits = float[keys / 2];            // (64, keys) of the warpgroup
  using Weights = std::uint32_t[keys / 4];   // (64, keys), two a register
  using Queries = std::uint32_t[4 * k_steps];  // (64, D)
  using Output = float[HeadDim / 2];         // (64, D)

  static __device__ void init(Shared& s) {
    if (threadIdx.x == 0) {
      s.q_full.init(1), s.q_free.init(4 * consumers);
      for (int i = 0; i < stages; ++i) {
        s.k_full[i].init(1), s.k_free[i].init(4 * consumers * cluster);
        s.v_full[i].init(1), s.v_free[i].init(4 * consumers * cluster);
      }
      fence_barrier_init();
    }
    if constexpr (HeadDim % 16 != 0) {
      // The copies leave out the padding of q and k, which must be zero.
      auto* word = reinterpret_cast<uint4*>(&s.q);
      for (int i = threadIdx.x; i < int((sizeof s.q + sizeof s.k) / sizeof(uint4)); i += threads) word[i] = {};
      fence_shared_writes();
    }
    if constexpr (cluster > 1) {
      cluster_sync();
    } else {
      __syncthreads();
    }
  }

  // ---- the producer: one thread ----

  template <int Cluster, int Rows>
  static __device__ void load(const BoxMaps& map, E (*to)[Rows][box_columns], int row, Barrier& full, int token, Place at) {
    full.expect(Rows * HeadDim * sizeof(E));
#pragma unroll
    for (int c = 0; c < full_boxes; ++c) copy_box<Cluster>(map.full, to[c][row], full, token, at.batch, at.head, c * box_columns);
    if constexpr (rest > 0) copy_box<Cluster>(map.rest, to[full_boxes][row], full, token, at.batch, at.head, full_boxes * box_columns);
  }

  static __device__ void produce(const Maps& maps, Shared& s, const Problem<E>& problem) {
    const int key_tiles = (problem.keys + keys - 1) / keys;
    const int row = cluster > 1 ? cluster_rank() * (keys / cluster) : 0;
    Ring<stages> ring;
    std::uint32_t q_parity = 0;
    for (int tile = blockIdx.x; tile < problem.tiles; tile += gridDim.x, q_parity ^= 1) {
      const Place at(problem, tile, rows);
      s.q_free.wait(q_parity ^ 1);
      load<1>(maps.q, s.q, 0, s.q_full, at.token, at);
#pragma unroll 1
      for (int j = key_tiles - 1; j >= 0; --j, ring.advance()) {
        s.k_free[ring.stage].wait(ring.parity ^ 1);
        load<cluster>(maps.k, s.k[ring.stage], row, s.k_full[ring.stage], j * keys + row, at);
        s.v_free[ring.stage].wait(ring.parity ^ 1);
        load<cluster>(maps.v, s.v[ring.stage], row, s.v_full[ring.stage], j * keys + row, at);
      }
    }
  }

  // ---- a consumer: one warpgroup ----

  /// The warp's 16 rows of queries as the left operands of matrix products.
  static __device__ void load_queries(Queries& queries, const Shared& s, int consumer) {
    const int lane = threadIdx.x % 32, row = 64 * consumer + threadIdx.x / 32 % 4 * 16 + lane % 16;
#pragma unroll
    for (int i = 0; i < k_steps; ++i) {
      const int column = (2 * i % 8 + lane / 16) ^ (row % 8);  // of 16 bytes, swizzled
      load_matrices(queries + 4 * i, shared_address(&s.q[i / box_steps][row][8 * column]));
    }
  }

  /// Begins logits = q · kᵀ, over the head dimension padded to a multiple of 16.
  static __device__ void multiply_keys(Logits& logits, const Queries& queries, const Shared& s, int consumer, int stage) {
    products_begin();
#pragma unroll
    for (int i = 0; i < k_steps; ++i) {
      const std::uint64_t b = matrix<box_columns>(&s.k[stage][i / box_steps][0][i % box_steps * 16]);
      if constexpr (Tiles::qreg) {
        if (i == 0) {
          Product<keys>::template ab<E, false, true>(logits, queries + 4 * i, b);
        } else {
          Product<keys>::template ab<E, true, true>(logits, queries + 4 * i, b);
        }
      } else {
        const std::uint64_t a = matrix<box_columns>(&s.q[i / box_steps][64 * consumer][i % box_steps * 16]);
        if (i == 0) {
          Product<keys>::template abt<E, false>(logits, a, b);
        } else {
          Product<keys>::template abt<E, true>(logits, a, b);
        }
      }
    }
    products_end();
  }

  /// Begins output += weights · v.
  static __device__ void multiply_values(Output& output, const Weights& weights, const Shared& s, int stage) {
    products_begin();
#pragma unroll
    for (int i = 0; i < keys / 16; ++i) {
      const std::uint64_t b = matrix<box_columns>(&s.v[stage][0][16 * i][0], keys * box_columns * sizeof(E));
      Product<HeadDim>::template ab<E, true, false>(output, weights + 4 * i, b);
    }
    products_end();
  }

  static __device__ void pack_weights(Weights& weights, const Logits& logits) {
#pragma unroll
    for (int i = 0; i < keys / 4; ++i) weights[i] = pack<E>(logits[2 * i], logits[2 * i + 1]);
  }

  /// Takes keys from `count` on out of the row.
  static __device__ void mask(Logits& logits, int count) {
    const int column = threadIdx.x % 4 * 2;
#pragma unroll
    for (int i = 0; i < keys / 2; ++i) {
      if (i / 4 * 8 + column + i % 2 >= count) logits[i] = -INFINITY;
    }
  }

  static __device__ void release(Barrier& free) {
    if constexpr (cluster > 1) {
      if (threadIdx.x % 32 < cluster) free.arrive_at(threadIdx.x % 32);
    } else {
      if (threadIdx.x % 32 == 0) free.arrive();
    }
  }

  /// Consumers begin their products one after the other, so that their exponentials fall apart.
  static __device__ void await_turn(int consumer) { if (Tiles::turns) named_wait(1 + consumer, 256); }
  static __device__ void pass_turn(int consumer) { if (Tiles::turns) named_arrive(1 + (consumer + 1) % consumers, 256); }

  static __device__ void store(const Output& output, const RunningSoftmax& softmax, const Problem<E>& problem, Place at,
                               int consumer) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int token = at.token + 64 * consumer + 16 * warp + lane / 4 + 8 * r;
      if (token >= problem.queries) continue;
      const float share = 1 / softmax.sum[r];
      auto* to = reinterpret_cast<std::uint32_t*>(problem.result.row(token, at.batch, at.head)) + lane % 4;
#pragma unroll
      for (int i = 0; i < HeadDim / 8; ++i) {
        to[4 * i] = pack<E>(output[4 * i + 2 * r] * share, output[4 * i + 2 * r + 1] * share);
      }
      if (lane % 4 == 0) problem.result.put_lse(token, at.batch, at.head, softmax.log_sum(r));
    }
  }

  static __device__ void consume(Shared& s, const Problem<E>& problem, int consumer) {
    const int key_tiles = (problem.keys + keys - 1) / keys;
    Ring<stages> k, v;
    std::uint32_t q_parity = 0;
    if (consumer == consumers - 1) pass_turn(consumer);
    for (int tile = blockIdx.x; tile < problem.tiles; tile += gridDim.x, q_parity ^= 1) {
      Logits logits;
      Weights weights;
      Output output = {};
      RunningSoftmax softmax{problem.scale};

      s.q_full.wait(q_parity);
      Queries queries;
      if constexpr (Tiles::qreg) {
        load_queries(queries, s, consumer);
        __syncwarp();
        if (threadIdx.x % 32 == 0) s.q_free.arrive();
      }
      s.k_full[k.stage].wait(k.parity);
      multiply_keys(logits, queries, s, consumer, k.stage);
      products_wait<0>();
      settle(logits);
      release(s.k_free[k.stage]);
      k.advance();
      mask(logits, problem.keys - (key_tiles - 1) * keys);
      softmax.begin(logits);
      softmax.template exponentiate<E>(logits, weights);
      if (key_tiles > 1) s.k_full[k.stage].wait(k.parity);

      for (int j = key_tiles - 1; j > 0; --j) {
        await_turn(consumer);
        multiply_keys(logits, queries, s, consumer, k.stage);
        s.v_full[v.stage].wait(v.parity);
        multiply_values(output, weights, s, v.stage);
        pass_turn(consumer);
        products_wait<1>();
        settle(logits);
        release(s.k_free[k.stage]);
        k.advance();
        float factor[2];
        const bool rescale = softmax.follow(logits, factor);
        products_wait<0>();
        settle(output);
        release(s.v_free[v.stage]);
        v.advance();
        softmax.template exponentiate<E>(logits, weights);
        if (rescale) {
#pragma unroll
          for (int i = 0; i < HeadDim / 2; ++i) output[i] *= factor[i / 2 % 2];
        }
        if (j > 1) s.k_full[k.stage].wait(k.parity);
      }
      if (!Tiles::qreg && threadIdx.x % 32 == 0) s.q_free.arrive();

      s.v_full[v.stage].wait(v.parity);
      multiply_values(output, weights, s, v.stage);
      softmax.finish();
      products_wait<0>();
      settle(output);
      release(s.v_free[v.stage]);
      v.advance();
      store(output, softmax, problem, Place(problem, tile, rows), consumer);
    }
  }
};

template <class E, int HeadDim, class Tiles>
__global__ __launch_bounds__(Attention<E, HeadDim, Tiles>::threads, 1) void attend(
    const __grid_constant__ Maps maps, const __grid_constant__ Problem<E> problem) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  using Kernel = Attention<E, HeadDim, Tiles>;
  extern __shared__ __align__(1024) unsigned char memory[];
  auto& shared = *reinterpret_cast<typename Kernel::Shared*>(memory);
  Kernel::init(shared);
  if (threadIdx.x < 128) {
    shrink_registers<Kernel::producer_registers>();
    if (threadIdx.x == 0) Kernel::produce(maps, shared, problem);
  } else {
    grow_registers<Kernel::consumer_registers>();
    Kernel::consume(shared, problem, __shfl_sync(~0u, threadIdx.x / 128 - 1, 0));
  }
  if constexpr (Tiles::cluster > 1) cluster_sync();
#endif
}

template <int HeadDim, int BoxColumns, int Tokens, class E>
BoxMaps box_maps(View<const E, 4> view, const char* name) {
  BoxMaps maps{};
  if constexpr (HeadDim >= BoxColumns) maps.full = box_map<Tokens, BoxColumns>(view, name);
  if constexpr (HeadDim % BoxColumns > 0) maps.rest = box_map<Tokens, HeadDim % BoxColumns>(view, name);
  return maps;
}

template <int HeadDim, class Tiles = Tiling<HeadDim>, class E>
void launch_attention(cudaStream_t stream, View<const E, 4> q, View<const E, 4> k, View<const E, 4> v, View<E, 4> out,
                      View<float, 3> lse, int multiprocessors) {
  using Kernel = Attention<E, HeadDim, Tiles>;
  const int queries = q.extent[0], keys = k.extent[0], heads = q.extent[2];
  const int row_tiles = (queries + Kernel::rows * Kernel::cluster - 1) / (Kernel::rows * Kernel::cluster) * Kernel::cluster;
  const int tiles = row_tiles * q.extent[1] * heads;
  const float scale = 1.44269504089f / std::sqrt(float(HeadDim));
  const Problem<E> problem{{out, lse}, queries, keys, heads, row_tiles, tiles, scale};
  const auto kernel = attend<E, HeadDim, Tiles>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, sizeof(typename Kernel::Shared)),
        "Reserving attention's shared memory");
  const Maps maps{box_maps<HeadDim, Kernel::box_columns, Kernel::rows>(q, "q"),
                  box_maps<HeadDim, Kernel::box_columns, Kernel::keys / Kernel::cluster>(k, "k"),
                  box_maps<HeadDim, Kernel::box_columns, Kernel::keys / Kernel::cluster>(v, "v")};
  cudaLaunchConfig_t config{};
  config.gridDim = std::min(tiles, multiprocessors / Kernel::cluster * Kernel::cluster);
  config.blockDim = Kernel::threads;
  config.dynamicSmemBytes = sizeof(typename Kernel::Shared);
  config.stream = stream;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {Kernel::cluster, 1, 1};
  config.attrs = &attribute, config.numAttrs = 1;
  check(cudaLaunchKernelEx(&config, kernel, maps, problem), "Launching attention");
}

}  // namespace weft::kernels::sm90
