// The thread that feeds attention's consumers on sm_90a.
#pragma once

#include "weft/attention/sm90/tiling.cuh"

namespace weft::inline v0_1::kernels::sm90 {

template <class E, class Key, int HeadDim, TilingName name, bool masks>
struct Producer : Layout<E, Key, HeadDim, name> {
  using L = Layout<E, Key, HeadDim, name>;

  static __device__ void run(const Maps& maps, typename L::Shared& s, const auto& problem) {
    if constexpr (L::resident)
      load_shares(maps, s, problem);
    else
      load_tiles(maps, s, problem);
  }

 private:
  /// Loads tiles of keys from the last to the first, so that consumers mask only their first one.
  static __device__ void load_tiles(const Maps& maps, typename L::Shared& s, const auto& problem) {
    const int row = L::sharing == 1 ? 0 : cluster_rank() * (L::keys / L::sharing);
    const auto [keys_begin, keys_end] = L::key_tiles(problem);
    PipelineState<L::stages> state;
    std::uint32_t q_parity = 0;
    for (int tile = L::first_tile(problem); tile < problem.end; tile += L::tile_step()) {
      const Place at(problem, tile, L::rows);
      Place of_keys = at;
      of_keys.head /= problem.group;
      const TilesOfKeys<L::keys, masks> tiles(problem.mask, at.batch, problem.keys);
      if (tiles.empty()) continue;  // as the consumers
      s.q_free[0].wait(q_parity ^ 1);
      load_rows<1, HeadDim>(maps.q, s.q[0], 0, s.q_full[0], at.token, at);
      q_parity ^= 1;
#pragma unroll 1
      for (int j = masks ? tiles.last() : keys_end - 1; j >= keys_begin; j = tiles.next(j), state.advance()) {
        const int token = j * L::keys + row;
        s.k_free[state.stage].wait(state.parity ^ 1);
        load_rows<L::sharing, L::key_width>(maps.k, s.k[state.stage], row, s.k_full[state.stage], token,
                                            of_keys);
        s.v_free[state.stage].wait(state.parity ^ 1);
        load_rows<L::sharing, HeadDim>(maps.v, s.v[state.stage], row, s.v_full[state.stage], token, of_keys);
      }
    }
  }

  /// Loads all keys and values of a head, from the last tile to the first, and its tiles of queries in turn,
  /// the first of each consumer before the keys.
  static __device__ void load_shares(const Maps& maps, typename L::Shared& s, const auto& problem) {
    std::uint32_t parity = 0, q_parities = 0;  // of takers, a bit each
    L::for_each_share(problem, [&](Tiles share) {
      Place of_keys(problem, share.begin, L::rows);
      of_keys.head /= problem.group;
      const TilesOfKeys<L::keys, masks> tiles(problem.mask, of_keys.batch, problem.keys);
      if (tiles.empty()) share.end = share.begin;  // as the consumers
      const auto load_queries = [&](int begin, int end) {
        for (int tile = begin; tile < end; ++tile) {
          const int taker = (tile - share.begin) % L::takers;
          const Place at(problem, tile, L::rows);
          s.q_free[taker].wait((q_parities >> taker & 1) ^ 1);
          load_rows<1, HeadDim>(maps.q, s.q[taker], 0, s.q_full[taker], at.token, at);
          q_parities ^= 1u << taker;
        }
      };
      const int ahead = min(share.begin + L::takers, share.end);
      load_queries(share.begin, ahead);
      int key_tile = tiles.empty() ? -1 : tiles.last();
#pragma unroll 1
      for (int stage = 0; stage < L::stages; ++stage) {
        s.k_free[stage].wait(parity ^ 1);
        s.v_free[stage].wait(parity ^ 1);
        if (key_tile < 0) {  // the stages of all heads keep step
          s.k_full[stage].arrive();
          s.v_full[stage].arrive();
          continue;
        }
        load_rows<1, L::key_width>(maps.k, s.k[stage], 0, s.k_full[stage], key_tile * L::keys, of_keys);
        load_rows<1, HeadDim>(maps.v, s.v[stage], 0, s.v_full[stage], key_tile * L::keys, of_keys);
        key_tile = tiles.next(key_tile);
      }
      parity ^= 1;
      load_queries(ahead, share.end);
    });
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
