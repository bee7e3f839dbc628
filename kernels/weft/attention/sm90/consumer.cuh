// A warpgroup that computes attention for 64 queries at a time on sm_90a.
#pragma once

#include "weft/attention/sm90/tiling.cuh"
#include "weft/attention/softmax.cuh"
#include "weft/sm90/wgmma.cuh"

namespace weft::kernels::sm90 {

/// In each round the matrix units take the logits of one tile of keys and the output of the one before, and
/// the warps take exponentials of the new logits while the output is still at work. Consumers begin their
/// rounds one after the other, so that the exponentials of one fall into the products of another.
template <class E, int HeadDim, TilingName name>
struct Consumer : Layout<E, HeadDim, name> {
  using L = Layout<E, HeadDim, name>;
  using L::keys, L::stages, L::sharing, L::parts, L::k_steps;

  using Weights = std::uint32_t[keys / 4];  // (64, keys), two a register

  typename L::Shared& shared;
  const Problem<E>& problem;
  const int consumer;
  const KeyTiles tiles;
  const std::uint32_t k_low = matrix(&shared.k), v_low = matrix(&shared.v, sizeof shared.v[0][0]);
  Ring<stages> k, v;
  std::uint32_t queries[4 * k_steps];  // (64, D)
  float logits[keys / 2];              // (64, keys)
  float output[HeadDim / 2];           // (64, D)
  RunningSoftmax softmax;

  __device__ Consumer(typename L::Shared& s, const Problem<E>& p, int index)
      : shared(s), problem(p), consumer(index), tiles(L::key_tiles(p)) {}

  __device__ void await_turn() { named_wait(1 + consumer, 256); }
  __device__ void pass_turn() { named_arrive(1 + (consumer + 1) % L::consumers, 256); }

  /// Signals to all writers that this warp is done with a buffer.
  static __device__ void release(Barrier& free) {
    if constexpr (sharing > 1) {
      if (threadIdx.x % 32 < sharing) free.arrive_at(threadIdx.x % 32);
    } else {
      if (threadIdx.x % 32 == 0) free.arrive();
    }
  }

  /// The warp's 16 rows of queries as left operands.
  __device__ void load_queries() {
    const int lane = threadIdx.x % 32, row = 64 * consumer + threadIdx.x / 32 % 4 * 16 + lane % 16;
#pragma unroll
    for (int i = 0; i < k_steps; ++i) {
      const int chunk = (i % 4 * 2 + lane / 16) ^ (row % 8);  // of 16 bytes, swizzled
      load_matrices<4>(queries + 4 * i, shared_address(&shared.q[i / 4][row][8 * chunk]));
    }
    __syncwarp();
    if (lane == 0) shared.q_free.arrive();
  }

  /// Begins logits = q · kᵀ.
  __device__ void multiply_keys() {
    products_begin();
#pragma unroll
    for (int i = 0; i < k_steps; ++i) {
      const std::uint64_t b =
          matrix_at(k_low + k.stage * (sizeof shared.k[0] / 16), i / 4 * sizeof shared.k[0][0] + i % 4 * 32);
      if (i == 0) {
        Product<keys>::template multiply<E, false, true>(logits, queries + 4 * i, b);
      } else {
        Product<keys>::template multiply<E, true, true>(logits, queries + 4 * i, b);
      }
    }
    products_end();
  }

  /// Begins output += weights · v.
  __device__ void multiply_values(const Weights& weights) {
    products_begin();
#pragma unroll
    for (int i = 0; i < keys / 16; ++i) {
      const std::uint64_t b =
          matrix_at(v_low + v.stage * (sizeof shared.v[0] / 16), i * 16 * box_columns * sizeof(E));
      Product<HeadDim>::template multiply<E, true, false>(output, weights + 4 * i, b);
    }
    products_end();
  }

  __device__ void end_logits() {
    settle(logits);
    release(shared.k_free[k.stage]);
    k.advance();
  }

  __device__ void end_output() {
    products_wait<0>();
    settle(output);
    release(shared.v_free[v.stage]);
    v.advance();
  }

  /// Takes keys from `count` on out of the row.
  __device__ void mask(int count) {
    const int column = threadIdx.x % 4 * 2;
#pragma unroll
    for (int i = 0; i < keys / 2; ++i) {
      if (i / 4 * 8 + column + i % 2 >= count) logits[i] = -INFINITY;
    }
  }

  /// The first tile of keys, which may be a part.
  __device__ void first_round(Weights& weights) {
    shared.k_full[k.stage].wait(k.parity);
    multiply_keys();
    products_wait<0>();
    end_logits();
    const int count = problem.keys - (tiles.end - 1) * keys;
    if (count < keys) mask(count);
    softmax = {problem.scale};
    softmax.begin(logits);
    softmax.template exponentiate<E>(logits, weights);
#pragma unroll
    for (float& o : output) o = 0;
  }

  /// Another tile of keys, together with the output of the tile before.
  __device__ void round(const Weights& before, Weights& weights) {
    shared.k_full[k.stage].wait(k.parity);
    shared.v_full[v.stage].wait(v.parity);
    await_turn();
    multiply_keys();
    multiply_values(before);
    pass_turn();
    products_wait<1>();
    end_logits();
    // The warps decide this each for itself, so no operation of the whole warpgroup may depend on it.
    const bool out_of_bounds = !softmax.template exponentiate<E>(logits, weights);
    float factor[2];
    if (out_of_bounds) {
      softmax.follow(logits, factor);
      softmax.template exponentiate<E>(logits, weights);
    }
    end_output();
    if (out_of_bounds) {
#pragma unroll
      for (int i = 0; i < HeadDim / 2; ++i) output[i] *= factor[i / 2 % 2];
    }
  }

  __device__ void last_output(const Weights& weights) {
    shared.v_full[v.stage].wait(v.parity);
    multiply_values(weights);
    end_output();
  }

  /// Brings what the parts have to the first, in place of its keys and values; whether this is the first.
  __device__ bool join_parts() {
    const int thread = threadIdx.x - 128, part = L::part();
    cluster_sync();
    if (part > 0) {
      auto& partial = in_block(L::partials(shared), 0)[part - 1];
#pragma unroll
      for (int i = 0; i < HeadDim / 2; ++i) partial[i][thread] = output[i];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        partial[HeadDim / 2 + r][thread] = softmax.reference[r];
        partial[HeadDim / 2 + 2 + r][thread] = softmax.sum[r];
      }
    }
    cluster_sync();
    for (int other = 1; other < parts && part == 0; ++other) {
      const auto& partial = L::partials(shared)[other - 1];
      float kept[2], added[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        softmax.join(r, partial[HeadDim / 2 + r][thread], partial[HeadDim / 2 + 2 + r][thread], kept[r],
                     added[r]);
      }
#pragma unroll
      for (int i = 0; i < HeadDim / 2; ++i)
        output[i] = output[i] * kept[i / 2 % 2] + partial[i][thread] * added[i / 2 % 2];
    }
    return part == 0;
  }

  __device__ void run() {
    std::uint32_t q_parity = 0;
    if (consumer == L::consumers - 1) pass_turn();
    for (int tile = L::first_tile(); tile < problem.tiles; tile += L::tile_step(), q_parity ^= 1) {
      Weights even, odd;
      shared.q_full.wait(q_parity);
      load_queries();
      first_round(even);
      int left = tiles.end - tiles.begin - 1;
      for (; left >= 2; left -= 2) {
        round(even, odd);
        round(odd, even);
      }
      if (left == 1) {
        round(even, odd);
        last_output(odd);
      } else {
        last_output(even);
      }
      if constexpr (parts > 1) {  // then this is the only tile
        if (!join_parts()) return;
      }
      const Place at(problem, tile, L::rows);
      store_rows(problem.result, softmax, output, at.token + 64 * consumer + threadIdx.x / 32 % 4 * 16,
                 problem.queries, at.batch, at.head);
    }
  }
};

}  // namespace weft::kernels::sm90
