// The thread that issues the matrix products of attention on sm_100a.
#pragma once

#include <type_traits>

#include "weft/attention/sm100/layout.cuh"
#include "weft/sm100/descriptors.hpp"

namespace weft::inline v0_1::kernels::sm100 {

/// Issues, for each half of the queries in turn, the output over one tile of keys and the logits of the next,
/// so that products of one half run while the other half's weights are computed. Products are done in the
/// order of their issue: logits overwrite weights only when these have been read, and once a half's logits
/// are there, so is its output over all tiles before.
template <class Cores, class E, int HeadDim, bool masks>
struct Multiplier : Layout<E, HeadDim> {
  using L = Layout<E, HeadDim>;
  using L::stages, L::depth, L::features;

  static constexpr bool is_bfloat16 = std::is_same_v<E, __nv_bfloat16>;
  static constexpr std::uint32_t logits_kind = product_descriptor(is_bfloat16, key_tile, Rows::along_sum),
                                 output_kind = product_descriptor(is_bfloat16, features, Rows::along_columns);

  typename L::Shared& shared;
  PipelineState<stages> k, v;
  std::uint32_t q_parity = 0, weights_parity = 0;

  explicit __device__ Multiplier(typename L::Shared& s) : shared(s) {}

  /// Issues logits = q · kᵀ.
  __device__ void multiply_keys(int half) {
    constexpr int box_steps = box_columns / depth, step_bytes = depth * sizeof(E);
    const std::uint32_t q_box = shared_address(&shared.q[half]), k_box = shared_address(&shared.k[k.stage]);
#pragma unroll
    for (int i = 0; i < features / depth; ++i) {
      const int box = i / box_steps, bytes = i % box_steps * step_bytes;
      Cores::multiply(shared.tensor_memory + L::logits_at(half),
                      matrix_descriptor(q_box + box * sizeof shared.q[0][0] + bytes),
                      matrix_descriptor(k_box + box * sizeof shared.k[0][0] + bytes), logits_kind, i > 0);
    }
    Cores::commit(shared.logits_full[half]);
  }

  /// Issues output [+]= weights · v.
  __device__ void multiply_values(int half, bool accumulate) {
    const std::uint32_t v_rows = shared_address(&shared.v[v.stage]);
#pragma unroll
    for (int i = 0; i < key_tile / depth; ++i) {
      Cores::multiply_tensor(shared.tensor_memory + L::output_at(half),
                             shared.tensor_memory + L::logits_at(half) + i * depth / 2,
                             matrix_descriptor(v_rows + i * depth * swizzle_bytes, sizeof shared.v[0][0]),
                             output_kind, accumulate || i > 0);
    }
  }

  /// Issues both halves' first logits; `is_last` says that no others follow.
  __device__ void begin(bool is_last) {
    shared.k_full[k.stage].wait(k.parity);
    for (int half = 0; half < halves; ++half) {
      shared.q_full[half].wait(q_parity);
      multiply_keys(half);
      if (is_last) Cores::commit(shared.q_free[half]);
    }
    q_parity ^= 1;
    end_keys();
  }

  __device__ void end_keys() {
    Cores::commit(shared.k_free[k.stage]);
    k.advance();
  }

  __device__ void attend(const auto& tiles) {
    const int last = tiles.last();
    begin(tiles.next(last) < 0);
#pragma unroll 1
    for (int j = last; j >= 0; j = tiles.next(j)) {
      const int next = tiles.next(j);
      shared.v_full[v.stage].wait(v.parity);
      if (next >= 0) shared.k_full[k.stage].wait(k.parity);
      for (int half = 0; half < halves; ++half) {
        shared.weights_full[half].wait(weights_parity);
        Cores::after_sync();
        multiply_values(half, j != last);
        if (next < 0) {
          Cores::commit(shared.output_full[half]);
          continue;
        }
        multiply_keys(half);
        if (tiles.next(next) < 0) Cores::commit(shared.q_free[half]);
      }
      weights_parity ^= 1;
      Cores::commit(shared.v_free[v.stage]);
      v.advance();
      if (next >= 0) end_keys();
    }
  }

  __device__ void run(const auto& problem) {
    const auto attend_to = [this](Place, const auto& tiles) { attend(tiles); };
    L::template for_each_tile<masks>(problem, attend_to, [](Place) {});
  }
};

}  // namespace weft::inline v0_1::kernels::sm100
