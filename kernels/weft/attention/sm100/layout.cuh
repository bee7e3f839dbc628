// The layout of shared and tensor memory of attention on sm_100a.
#pragma once

#include <algorithm>
#include <cstdint>

#include "weft/attention/boxes.cuh"
#include "weft/attention/key_tiles.cuh"
#include "weft/attention/result.cuh"
#include "weft/attention/sm100/choice.hpp"

namespace weft::inline v0_1::kernels::sm100 {

using sm90::Barrier, sm90::Maps, sm90::PipelineState, sm90::Place;
using sm90::box_columns, sm90::swizzle_bytes, sm90::swizzle_span, sm90::warpgroup_size;

template <class E, class Out = E>
struct Problem {
  AttentionResult<E, Out> result;
  int queries, keys, heads;
  int group;             // heads of queries that share one of keys
  int row_tiles, tiles;  // of a head, and of all heads
  float scale;           // of logits, to exponents of two
  KeyMask mask;
};

/// What the roles of a block share: tiles of queries in two halves, of which each has its own logits and
/// output in tensor memory, and stages of keys and values.
template <class E, int HeadDim>
struct Layout {
  static constexpr int depth = 16;  // that a product sums over
  static constexpr int features = (HeadDim + depth - 1) / depth * depth;
  static constexpr int boxes = (HeadDim + box_columns - 1) / box_columns;  // side by side
  static constexpr int stage_bytes = 2 * boxes * key_tile * swizzle_bytes,
                       query_bytes = boxes * query_tile * swizzle_bytes,
                       barrier_bytes = 1024;  // at most
  static constexpr int stages =
      std::min(4, (sm90::shared_memory_bytes - query_bytes - barrier_bytes) / stage_bytes);
  static_assert(stages >= 2);

  struct Shared {
    alignas(swizzle_span) E q[halves][boxes][half_rows][box_columns];
    alignas(swizzle_span) E k[stages][boxes][key_tile][box_columns];
    alignas(swizzle_span) E v[stages][boxes][key_tile][box_columns];
    Barrier q_full[halves], q_free[halves], k_full[stages], k_free[stages], v_full[stages], v_free[stages];
    Barrier logits_full[halves], weights_full[halves], output_full[halves];
    std::uint32_t tensor_memory;  // its address
  };
  static_assert(sizeof(Shared) <= sm90::shared_memory_bytes);

  // Columns of tensor memory. The weights take the place of the logits, two a column.
  static constexpr __device__ int logits_at(int half) { return half * key_tile; }
  static constexpr __device__ int output_at(int half) { return halves * key_tile + half * box_columns * 2; }
  static_assert(halves * (key_tile + 2 * box_columns) <= tensor_columns && features <= 2 * box_columns);

  static __device__ void init(Shared& s) {
    if (threadIdx.x == 0) {
      for (int half = 0; half < halves; ++half) {
        for (Barrier* barrier :
             {&s.q_full[half], &s.q_free[half], &s.logits_full[half], &s.output_full[half]})
          barrier->init(1);
        s.weights_full[half].init(warpgroup_size);
      }
      for (int stage = 0; stage < stages; ++stage) {
        for (Barrier* barrier : {&s.k_full[stage], &s.k_free[stage], &s.v_full[stage], &s.v_free[stage]})
          barrier->init(1);
      }
      sm90::fence_barrier_init();
    }
    if constexpr (HeadDim != features) {
      // TMA does not write the padding of rows, which must be zero.
      auto* word = reinterpret_cast<uint4*>(&s.q);
      for (int i = threadIdx.x; i < int((sizeof s.q + sizeof s.k + sizeof s.v) / sizeof(uint4));
           i += blockDim.x)
        word[i] = {};
      sm90::fence_shared();
    }
  }

  /// Calls body(place, tiles of keys) for each tile of queries of this block that has keys to attend
  /// to, and nothing(place) for the others.
  template <bool masks, class Body, class Nothing>
  static __device__ void for_each_tile(const auto& problem, const Body& body, const Nothing& nothing) {
    for (int tile = blockIdx.x; tile < problem.tiles; tile += gridDim.x) {
      const Place at(problem, tile, query_tile);
      const TilesOfKeys<key_tile, masks> tiles(problem.mask, at.batch, problem.keys);
      if (tiles.empty())
        nothing(at);
      else
        body(at, tiles);
    }
  }
};

}  // namespace weft::inline v0_1::kernels::sm100
