// The thread that loads queries, keys and values of attention on sm_100a.
#pragma once

#include "weft/attention/sm100/layout.cuh"

namespace weft::inline v0_1::kernels::sm100 {

/// Loads tiles of keys from the last to the first, so that without hidden keys only the first needs a mask.
template <class E, int HeadDim, bool masks>
struct Loader : Layout<E, HeadDim> {
  using L = Layout<E, HeadDim>;

  static __device__ void run(const Maps& maps, typename L::Shared& s, const auto& problem) {
    std::uint32_t q_parity = 0;
    PipelineState<L::stages> state;
    const auto load_tile = [&](Place at, const auto& tiles) {
      Place of_keys = at;
      of_keys.head /= problem.group;
      for (int half = 0; half < halves; ++half) {
        s.q_free[half].wait(q_parity ^ 1);
        sm90::load_rows<1, HeadDim>(maps.q, s.q[half], 0, s.q_full[half], at.token + half * half_rows, at);
      }
      q_parity ^= 1;
#pragma unroll 1
      for (int j = tiles.last(); j >= 0; j = tiles.next(j), state.advance()) {
        const int token = j * key_tile;
        s.k_free[state.stage].wait(state.parity ^ 1);
        sm90::load_rows<1, HeadDim>(maps.k, s.k[state.stage], 0, s.k_full[state.stage], token, of_keys);
        s.v_free[state.stage].wait(state.parity ^ 1);
        sm90::load_rows<1, HeadDim>(maps.v, s.v[state.stage], 0, s.v_full[state.stage], token, of_keys);
      }
    };
    L::template for_each_tile<masks>(problem, load_tile, [](Place) {});
  }
};

}  // namespace weft::inline v0_1::kernels::sm100
