// The consumer warpgroup of attention on sm_90a, which computes 64 queries at a time.
#pragma once

#include "weft/attention/sm90/scores.cuh"
#include "weft/attention/sm90/tiling.cuh"
#include "weft/sm90/wgmma.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Each round issues two products, the logits of one tile of keys and the output of the tile before, and
/// takes the exponentials of the new logits while the second product runs. Consumers take turns to begin
/// their rounds, so that exponentials of one overlap products of another.
template <class E, class Out, class Key, int HeadDim, TilingName name, bool masks>
struct Consumer : Layout<E, Key, HeadDim, name> {
  using L = Layout<E, Key, HeadDim, name>;
  using L::keys, L::stages, L::sharing, L::parts, L::resident;

  using Weights = std::uint32_t[keys / 4];                       // (64, keys), two a register
  static constexpr int box_steps = swizzle_bytes / wgmma_bytes;  // of a product along a row of a box

  typename L::Shared& shared;
  const Problem<E, Out>& problem;
  const int consumer;
  const Tiles tiles;
  const std::uint32_t k_low = descriptor_low(&shared.k),
                      v_low = descriptor_low(&shared.v, sizeof shared.v[0][0]);
  PipelineState<stages> k, v;
  std::uint32_t q_parity = 0;
  Scores<E, Key, HeadDim, keys> scores;
  float output[HeadDim / 2];  // (64, D)

  __device__ Consumer(typename L::Shared& s, const Problem<E, Out>& p, int index)
      : shared(s), problem(p), consumer(index), tiles(L::key_tiles(p)) {}

  // The named barriers by which consumers take turns: one warpgroup waits there, and one arrives.
  static constexpr int first_turn_barrier = 1;  // 0 is that of __syncthreads
  static constexpr int turn_threads = 2 * warpgroup_size;
  __device__ void await_turn() {
    if constexpr (!resident) named_wait(first_turn_barrier + consumer, turn_threads);
  }
  __device__ void pass_turn() {
    if constexpr (!resident) named_arrive(first_turn_barrier + (consumer + 1) % L::consumers, turn_threads);
  }

  /// Returns which of the tiles of queries in shared memory is this consumer's.
  __device__ int taker() const { return resident ? consumer : 0; }
  /// Returns the first of this warpgroup's rows of the tile, and of this warp's.
  __device__ int group_row() const { return resident ? 0 : wgmma_rows * consumer; }
  __device__ int first_row() const {
    return group_row() + threadIdx.x / warp_size % warpgroup_warps * warp_rows;
  }

  /// Signals to every block that loads into a stage that this warp has read it.
  static __device__ void release(Barrier& free) {
    if constexpr (sharing > 1) {
      if (threadIdx.x % warp_size < sharing) free.arrive_at(threadIdx.x % warp_size);
    } else {
      if (threadIdx.x % warp_size == 0) free.arrive();
    }
  }

  /// Waits for the tile's queries and loads the warp's rows of them as left operands.
  __device__ void load_queries(QueryRows<HeadDim>& rows) {
    shared.q_full[taker()].wait(q_parity);
    q_parity ^= 1;
    const int lane = threadIdx.x % warp_size, row = first_row() + lane % warp_rows;
    constexpr int steps = sizeof rows / sizeof *rows / 4;
#pragma unroll
    for (int i = 0; i < steps; ++i) {
      const int chunk = (i % box_steps * 2 + lane / warp_rows) ^ (row % swizzle_rows);
      load_matrices<4>(rows + 4 * i,
                       shared_address(&shared.q[taker()][i / box_steps][row][chunk_columns * chunk]));
    }
    fence_shared();
    __syncwarp();
    if (lane == 0) shared.q_free[taker()].arrive();
  }

  /// Issues logits = q · kᵀ.
  __device__ void multiply_keys() {
    scores.multiply([this](int step) {
      return descriptor_at(k_low + k.stage * (sizeof shared.k[0] / descriptor_unit),
                           step / box_steps * sizeof shared.k[0][0] + step % box_steps * wgmma_bytes);
    });
  }

  /// Issues output += weights · v.
  __device__ void multiply_values(const Weights& weights) {
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < keys / wgmma_depth; ++i) {
      const std::uint64_t b = descriptor_at(v_low + v.stage * (sizeof shared.v[0] / descriptor_unit),
                                            i * wgmma_depth * box_columns * sizeof(E));
      Product<HeadDim>::template multiply<E, true, false>(output, weights + 4 * i, b);
    }
    wgmma_commit();
  }

  __device__ void end_logits() {
    settle(scores.logits);
    if constexpr (!resident) release(shared.k_free[k.stage]);
    k.advance();
  }

  __device__ void end_output() {
    wgmma_wait<0>();
    settle(output);
    if constexpr (!resident) release(shared.v_free[v.stage]);
    v.advance();
  }

  /// Computes the weights of the first tile of keys; mask_logits() masks those of them that need it.
  template <class MaskLogits>
  __device__ void first_round(Weights& weights, MaskLogits& mask_logits) {
    shared.k_full[k.stage].wait(k.parity);
    multiply_keys();
    wgmma_wait<0>();
    end_logits();
    mask_logits();
    scores.weigh_first(weights);
#pragma unroll
    for (float& o : output) o = 0;
  }

  /// Computes the weights of another tile of keys, and the output of the tile before; mask_logits() masks
  /// keys that need it.
  template <class MaskLogits>
  __device__ void round(const Weights& before, Weights& weights, MaskLogits& mask_logits) {
    shared.k_full[k.stage].wait(k.parity);
    shared.v_full[v.stage].wait(v.parity);
    await_turn();
    multiply_keys();
    multiply_values(before);
    pass_turn();
    wgmma_wait<1>();
    end_logits();
    mask_logits();
    // This differs from warp to warp, so no warpgroup-wide instruction may depend on it.
    const bool out_of_bounds = !scores.weigh(weights);
    float factor[2];
    if (out_of_bounds) scores.weigh_again(weights, factor);
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

  /// Merges the results of all parts into the first part; returns whether this block has it.
  __device__ bool join_parts() {
    const int thread = threadIdx.x - warpgroup_size, part = L::part();
    cluster_sync();
    if (part > 0) {
      auto& partial = in_block(L::partials(shared), 0)[part - 1];
#pragma unroll
      for (int i = 0; i < HeadDim / 2; ++i) partial[i][thread] = output[i];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        partial[HeadDim / 2 + r][thread] = scores.softmax.reference[r];
        partial[HeadDim / 2 + 2 + r][thread] = scores.softmax.sum[r];
      }
    }
    cluster_sync();
    for (int other = 1; other < parts && part == 0; ++other) {
      const auto& partial = L::partials(shared)[other - 1];
      float kept[2], added[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        scores.softmax.join(r, partial[HeadDim / 2 + r][thread], partial[HeadDim / 2 + 2 + r][thread],
                            kept[r], added[r]);
      }
#pragma unroll
      for (int i = 0; i < HeadDim / 2; ++i)
        output[i] = output[i] * kept[i / 2 % 2] + partial[i][thread] * added[i / 2 % 2];
    }
    return part == 0;
  }

  /// Computes the output over `count` tiles of keys.
  template <class MaskFirst, class MaskLater>
  __device__ void attend_tiles(int count, MaskFirst& mask_first, MaskLater& mask_later) {
    Weights even, odd;
    first_round(even, mask_first);
    int left = count - 1;
    for (; left >= 2; left -= 2) {
      round(even, odd, mask_later);
      round(odd, even, mask_later);
    }
    if (left == 1) {
      round(even, odd, mask_later);
      last_output(odd);
    } else {
      last_output(even);
    }
  }

  /// Attends to all keys; the first tile may be partly filled.
  __device__ void attend_all() {
    auto mask_first = [this] {
      const int count = problem.keys - (tiles.end - 1) * keys;
      if (count < keys) scores.mask({count, 0, 0});
    };
    auto nothing = [] {};
    attend_tiles(tiles.end - tiles.begin, mask_first, nothing);
  }

  __device__ void attend_visible(const VisibleTiles<keys>& visible) {
    int tile = visible.last();
    auto mask_tile = [this, &visible, &tile] {
      if (visible.hides_some(tile)) scores.mask(visible.hidden(tile));
      tile = visible.next(tile);
    };
    attend_tiles(visible.count(), mask_tile, mask_tile);
  }

  using Keys = TilesOfKeys<keys, masks>;

  /// Returns the tiles of keys that a tile of queries attends to.
  __device__ Keys keys_of(int tile) const {
    return Keys(problem.mask, Place(problem, tile, L::rows).batch, problem.keys);
  }

  /// Computes and stores the output of a tile of queries; returns false if that is left to another block.
  __device__ bool attend_to(int tile, const Keys& of_tile) {
    const Place at(problem, tile, L::rows);
    if constexpr (masks) {
      if (of_tile.empty()) {
        store_nothing(problem.result, at.token + group_row(), wgmma_rows, problem.queries, at.batch, at.head,
                      HeadDim, threadIdx.x % warpgroup_size, warpgroup_size);
        return true;
      }
    }
    scores.begin([this](QueryRows<HeadDim>& rows) { load_queries(rows); }, problem.scale,
                 problem.scales_of(at.batch, at.head), tiles.end - 1);
    if constexpr (masks)
      attend_visible(of_tile);
    else
      attend_all();
    if constexpr (parts > 1) {
      if (!join_parts()) return false;
    }
    store_rows(problem.result, scores.softmax, output, at.token + first_row(), problem.queries, at.batch,
               at.head);
    return true;
  }

  __device__ void run() {
    if constexpr (resident)
      run_shares();
    else
      run_tiles();
  }

  __device__ void run_tiles() {
    if (consumer == L::consumers - 1) pass_turn();
    for (int tile = L::first_tile(problem); tile < problem.end; tile += L::tile_step())
      if (!attend_to(tile, keys_of(tile))) return;  // of parts there is one tile a block
  }

  /// Takes tiles of each share in turn with the other consumers, all over the same keys, then frees these:
  /// once they are there, so that who had no tile does not free those of a later share too.
  __device__ void run_shares() {
    std::uint32_t parity = 0;
    L::for_each_share(problem, [&](Tiles share) {
      const Keys of_share = keys_of(share.begin);
#pragma unroll 1
      for (int tile = share.begin + consumer; tile < share.end; tile += L::consumers) {
        k = v = {0, parity};
        attend_to(tile, of_share);
      }
      for (int stage = 0; stage < stages; ++stage) {
        shared.k_full[stage].wait(parity);
        release(shared.k_free[stage]);
        shared.v_full[stage].wait(parity);
        release(shared.v_free[stage]);
      }
      parity ^= 1;
    });
  }
};

}  // namespace weft::inline v0_1::kernels::sm90
