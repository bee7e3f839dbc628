// The warpgroup that turns the logits of half a tile of queries into weights, and stores its output, in
// attention on sm_100a. Each thread has a row.
#pragma once

#include <cmath>

#include "weft/attention/sm100/layout.cuh"
#include "weft/attention/softmax.cuh"

namespace weft::inline v0_1::kernels::sm100 {

/// The online softmax of a row. As in RunningSoftmax, the reference is the maximum of the first tile, and is
/// raised only when a tile's sum exceeds its limit.
struct RowSoftmax {
  float scale;          // of logits, to exponents of two
  float reference = 0;  // a logit
  float sum = 0;

  template <int Count>
  static __device__ float highest(const float (&logits)[Count]) {
    float part[4] = {logits[0], logits[1], logits[2], logits[3]};
#pragma unroll
    for (int i = 4; i < Count; ++i) part[i % 4] = fmaxf(part[i % 4], logits[i]);
    return fmaxf(fmaxf(part[0], part[1]), fmaxf(part[2], part[3]));
  }

  template <int Count>
  __device__ void begin(const float (&logits)[Count]) {
    reference = highest(logits);
    sum = 0;
  }

  /// Computes the weights of a tile, two a register, and adds them to the sum. Returns false, with the sum
  /// unchanged, if theirs exceeds the limit.
  template <class E, int Count>
  __device__ bool weigh(const float (&logits)[Count], std::uint32_t (&weights)[Count / 2]) {
    const float offset = scale * reference;
    float part[4] = {};
#pragma unroll
    for (int i = 0; i < Count; i += 2) {
      const float low = exp2_fast(fmaf(scale, logits[i], -offset)),
                  high = exp2_fast(fmaf(scale, logits[i + 1], -offset));
      part[i % 4] += low;
      part[i % 4 + 1] += high;
      weights[i / 2] = pack<E>(low, high);
    }
    const float added = part[0] + part[1] + (part[2] + part[3]);
    if (!(added < RunningSoftmax::limit)) return false;
    sum += added;
    return true;
  }

  /// Raises the reference to the maximum of the logits; returns the factor of the output so far.
  template <int Count>
  __device__ float follow(const float (&logits)[Count]) {
    const float raised = fmaxf(highest(logits), reference), factor = exp2_fast(scale * (reference - raised));
    reference = raised;
    sum *= factor;
    return factor;
  }

  /// Returns the natural logarithm of the sum of exponentials of scaled logits.
  __device__ float log_sum() const { return (scale * reference + log2f(sum)) * ln_2; }
};

template <class Cores, class E, class Out, int HeadDim, bool masks>
struct Weigher : Layout<E, HeadDim> {
  using L = Layout<E, HeadDim>;
  static constexpr int step = Cores::columns_at_once;

  typename L::Shared& shared;
  const Problem<E, Out>& problem;
  const int half, row = threadIdx.x % warpgroup_size;
  const std::uint32_t lanes;  // the address of this warp's part of tensor memory
  std::uint32_t logits_parity = 0, output_parity = 0;
  float logits[key_tile];
  std::uint32_t weights[key_tile / 2];
  RowSoftmax softmax;

  __device__ Weigher(typename L::Shared& s, const Problem<E, Out>& p, int h)
      : shared(s),
        problem(p),
        half(h),
        lanes(s.tensor_memory + (row / warp_size * warp_size << 16)),
        softmax{p.scale} {}

  __device__ void load_logits() {
    shared.logits_full[half].wait(logits_parity);
    logits_parity ^= 1;
    Cores::after_sync();
#pragma unroll
    for (int i = 0; i < key_tile; i += step) Cores::load(logits + i, lanes + L::logits_at(half) + i);
    Cores::await_loads(logits);
  }

  __device__ void store_weights() {
#pragma unroll
    for (int i = 0; i < key_tile / 2; i += step) Cores::store(lanes + L::logits_at(half) + i, weights + i);
    Cores::await_stores();
    Cores::before_sync();
    shared.weights_full[half].arrive();
  }

  /// Multiplies this row of the output by a factor; for whole warps.
  __device__ void scale_output(float factor) {
#pragma unroll 1
    for (int i = 0; i < L::features; i += step) {
      float output[step];
      Cores::load(output, lanes + L::output_at(half) + i);
      Cores::await_loads(output);
      std::uint32_t scaled[step];
#pragma unroll
      for (int c = 0; c < step; ++c) scaled[c] = __float_as_uint(output[c] * factor);
      Cores::store(lanes + L::output_at(half) + i, scaled);
    }
    Cores::await_stores();
  }

  __device__ void mask(HiddenKeys hidden) {
#pragma unroll
    for (int i = 0; i < key_tile; ++i)
      if (hidden(i)) logits[i] = -INFINITY;
  }

  /// Computes the weights of the next tile of keys. Its output over the tiles before is there as soon as its
  /// logits are.
  __device__ void weigh(bool is_first) {
    if (is_first) softmax.begin(logits);
    const bool out_of_bounds = !softmax.template weigh<E>(logits, weights);
    if (!__any_sync(all_lanes, out_of_bounds)) return;
    float factor = 1;
    if (out_of_bounds) {
      factor = softmax.follow(logits);
      softmax.template weigh<E>(logits, weights);
    }
    scale_output(factor);
  }

  /// Stores this row's output, if the row exists, divided by its sum or merged with what is there.
  __device__ void store_output(Place at) {
    shared.output_full[half].wait(output_parity);
    output_parity ^= 1;
    Cores::after_sync();
    const int token = at.token + half * half_rows + row;
    const bool exists = token < problem.queries;
    MergeWeights merge{0, 1, softmax.log_sum()};
    if (exists) merge = problem.result.weights(token, at.batch, at.head, merge.lse);
    Out* const to = exists ? problem.result.row(token, at.batch, at.head) : nullptr;
    const float factor = merge.added / softmax.sum;
#pragma unroll 1
    for (int i = 0; i < L::features; i += step) {
      float output[step];
      Cores::load(output, lanes + L::output_at(half) + i);
      Cores::await_loads(output);
#pragma unroll
      for (int c = 0; c < step; c += 8)
        if (exists && i + c < HeadDim)
          store_scaled(problem.result, output + c, factor, merge.kept, to, (i + c) / 8);
    }
    if (problem.result.lse && exists) *problem.result.lse_at(token, at.batch, at.head) = merge.lse;
  }

  __device__ void run() {
    const auto attend = [this](Place at, const auto& tiles) {
#pragma unroll 1
      for (int j = tiles.last(); j >= 0; j = tiles.next(j)) {
        load_logits();
        if (tiles.hides_some(j)) mask(tiles.hidden(j));
        weigh(j == tiles.last());
        store_weights();
      }
      store_output(at);
    };
    const auto nothing = [this](Place at) {
      store_nothing(problem.result, at.token + half * half_rows, half_rows, problem.queries, at.batch,
                    at.head, HeadDim, row, warpgroup_size);
    };
    L::template for_each_tile<masks>(problem, attend, nothing);
  }
};

}  // namespace weft::inline v0_1::kernels::sm100
