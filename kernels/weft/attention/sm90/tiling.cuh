// The layout of shared memory, and the order of tiles, of attention on sm_90a.
#pragma once

#include "weft/attention/boxes.cuh"
#include "weft/attention/int8_keys.cuh"
#include "weft/attention/key_tiles.cuh"
#include "weft/attention/result.cuh"
#include "weft/attention/sm90/choice.hpp"

namespace weft::inline v0_1::kernels::sm90 {

template <class E, class Out = E>
struct Problem {
  AttentionResult<E, Out> result;
  int queries, keys, heads;
  int group;           // heads of queries that share one of keys
  int row_tiles, end;  // tiles of one head; the last of those of all heads that this launch takes
  int shares;          // of a head's tiles, of which a block takes one, if keys are resident
  float scale;         // of logits, to exponents of two
  KeyMask mask;
  const float* key_scales;  // of keys in int8, those of a head in a row, or null
  int scales;               // of a head
  int begin;                // the first tile

  /// Returns the scales of the keys that a head of queries reads.
  __device__ const float* scales_of(int image, int head) const {
    return key_scales + (image * (heads / group) + head / group) * scales;
  }
};

/// A range of tiles.
struct Tiles {
  int begin, end;
};

/// Everything that follows from a tiling at compile time. `Key` is E, or std::int8_t for those of Int8Keys.
template <class E, class Key, int HeadDim, TilingName name>
struct Layout {
  static constexpr Tiling tiling = tiling_of(name, HeadDim);
  static constexpr int consumers = tiling.consumers, keys = tiling.keys, stages = tiling.stages;
  static constexpr int sharing = tiling.sharing, parts = tiling.parts;
  static constexpr bool resident = tiling.resident;
  static constexpr int cluster = tiling.cluster();
  static constexpr int rows = tiling.rows();
  static constexpr int takers = resident ? consumers : 1;  // that take tiles of queries of their own
  static constexpr int boxes = (HeadDim + box_columns - 1) / box_columns;        // side by side
  static constexpr int key_columns = swizzle_bytes / sizeof(Key);                // of a box of keys
  static constexpr int key_width = sizeof(Key) == 1 ? int8_key_bytes : HeadDim;  // numbers of a key
  static constexpr int threads = warpgroup_size * (consumers + 1);
  static_assert(keys % wgmma_depth == 0 && keys % (swizzle_rows * sharing) == 0);
  static_assert(sharing == 1 || parts == 1);

  // Registers of a thread, by which the warpgroups share out those of a multiprocessor.
  static_assert(consumers == 2 || consumers == 3);
  static constexpr int producer_registers = resident ? 40 : consumers == 2 ? 24 : 32;
  static constexpr int consumer_registers = resident ? 152 : consumers == 2 ? 240 : 160;
  static_assert(warpgroup_size * (producer_registers + consumers * consumer_registers) <= register_count);

  struct Shared {
    alignas(swizzle_span) E q[takers][boxes][rows][box_columns];
    alignas(swizzle_span) Key k[stages][(key_width + key_columns - 1) / key_columns][keys][key_columns];
    alignas(swizzle_span) E v[stages][boxes][keys][box_columns];
    Barrier q_full[takers], q_free[takers], k_full[stages], k_free[stages], v_full[stages], v_free[stages];
  };
  static_assert(sizeof(Shared) <= shared_memory_bytes);

  /// The output, references and sums of one part, by thread, for the consumers of the first part. It takes
  /// the place of keys and values after their last use, and of queries where it needs more.
  using Partial = float[HeadDim / 2 + 4][warpgroup_size * consumers];
  static_assert((parts - 1) * sizeof(Partial) <= sizeof(Shared::q) + sizeof(Shared::k) + sizeof(Shared::v));
  static __device__ Partial* partials(Shared& s) {
    constexpr bool fits = (parts - 1) * sizeof(Partial) <= sizeof(Shared::k) + sizeof(Shared::v);
    return fits ? reinterpret_cast<Partial*>(&s.k) : reinterpret_cast<Partial*>(&s.q);
  }

  // A block takes every tile_step-th tile of queries from its first on; for each, it goes through its tiles
  // of keys from the last to the first.
  static __device__ int first_tile(const auto& problem) {
    return parts == 1 ? blockIdx.x : problem.begin + blockIdx.x / parts;  // others begin with the first
  }
  static __device__ int tile_step() { return gridDim.x / parts; }
  static __device__ int part() { return parts == 1 ? 0 : cluster_rank(); }
  static __device__ Tiles key_tiles(const auto& problem) {
    const int tiles = (problem.keys + keys - 1) / keys;
    return {tiles * part() / parts, tiles * (part() + 1) / parts};
  }

  /// Calls body(tiles) for each share of a head's tiles of queries that this block takes, where keys are
  /// resident.
  template <class Body>
  static __device__ void for_each_share(const auto& problem, const Body& body) {
    const int tiles = problem.row_tiles, shares = problem.shares;
    for (int i = blockIdx.x; i < problem.end / tiles * shares; i += gridDim.x) {
      const int first = i / shares * tiles, share = i % shares;
      body(Tiles{first + tiles * share / shares, first + tiles * (share + 1) / shares});
    }
  }

  static __device__ void init(Shared& s) {
    constexpr int warps = warpgroup_warps * consumers;
    if (threadIdx.x == 0) {
      for (int i = 0; i < takers; ++i) {
        s.q_full[i].init(1);
        s.q_free[i].init(warps / takers);
      }
      for (int i = 0; i < stages; ++i) {
        s.k_full[i].init(1);
        s.k_free[i].init(warps * sharing);
        s.v_full[i].init(1);
        s.v_free[i].init(warps * sharing);
      }
      fence_barrier_init();
    }
    if constexpr (HeadDim % wgmma_depth != 0) {
      // TMA does not write the padding of q and k, which must be zero.
      auto* word = reinterpret_cast<uint4*>(&s.q);
      for (int i = threadIdx.x; i < int((sizeof s.q + sizeof s.k) / sizeof(uint4)); i += threads)
        word[i] = {};
      fence_shared();
    }
    cluster_sync();
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
