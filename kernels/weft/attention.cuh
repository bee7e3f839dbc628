// Attention: out = softmax(q · kᵀ / √D) · v, with the log-sum-exp by which parts of it are merged.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "weft/attention/sm100.cuh"
#include "weft/attention/sm70.cuh"
#include "weft/attention/sm80.cuh"
#include "weft/attention/sm90.cuh"
#include "weft/check.cuh"
#include "weft/core/error.hpp"
#include "weft/core/head_split.hpp"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/core/stretches.hpp"
#include "weft/tier.cuh"

namespace weft::inline v0_1::kernels {

/// Throws std::logic_error if attention in E is to merge with output of another type.
template <class E, class Out>
void check_merged_type(Output output) {
  if (output == Output::merge && !std::is_same_v<Out, E>)
    throw std::logic_error("attention merges with output in the type of the queries, and was given e4m3");
}

/// Throws std::logic_error if the operands have shapes, strides or alignments that the kernels cannot read.
template <class E, class Out>
void check_attention(In<E, 4> q, In<E, 4> k, In<E, 4> v, const Stretches<Out, 4>& out, In<float, 3> lse,
                     Output output, Index head_dim) {
  static_assert(
      std::is_same_v<Out, E> || (std::is_same_v<E, __nv_bfloat16> && std::is_same_v<Out, __nv_fp8_e4m3>),
      "Attention writes what it reads, or e4m3 from __nv_bfloat16.");
  const auto fail = [](const auto&... parts) { throw std::logic_error(sentence(parts...)); };
  check_key_heads(q.extent[2], k.extent[2]);
  const auto check_operand = [&fail, &q, head_dim]<class T>(const char* name, const Stretches<T, 4>& given,
                                                            const View<const E, 4>& like) {
    const std::array extent = given.extent();
    if (extent != std::array{like.extent[0], q.extent[1], like.extent[2], head_dim})
      fail("attention was given ", name, " of (", extent[0], ", ", extent[1], ", ", extent[2], ", ",
           extent[3], "); it needs (", like.extent[0], ", ", q.extent[1], ", ", like.extent[2], ", ",
           head_dim, ")");
    for (const View<T, 4>& view : given.views()) {
      bool aligned = reinterpret_cast<std::uintptr_t>(view.data) % (8 * sizeof(T)) == 0;
      for (int d = 0; d < 3; ++d) aligned &= view.extent[d] == 1 || view.stride[d] % 8 == 0;
      if (!aligned)
        fail("attention was given ", name, " out of line; rows of heads begin at multiples of ",
             8 * sizeof(T), " bytes");
      if (view.stride != given.views().front().stride)
        fail("attention was given ", name, " in stretches of different strides");
    }
    if (extent[0] > std::numeric_limits<int>::max() / 2) fail("attention takes at most 2^30 tokens");
  };
  check_operand("q", Stretches<const E, 4>(q), q);
  check_operand("k", Stretches<const E, 4>(k), k);
  check_operand("v", Stretches<const E, 4>(v), k);
  check_operand("out", out, q);
  if (lse.data && lse.extent != std::array{q.extent[0], q.extent[1], q.extent[2]})
    fail("attention's log-sum-exp is of (", q.extent[0], ", ", q.extent[1], ", ", q.extent[2], ")");
  if (output == Output::merge && !lse.data)
    fail("attention merges by log-sum-exps, and was given none of the output that is there");
  check_merged_type<E, Out>(output);
}

/// Computes attention of q (n, B, H, D) over k, v (S, B, K, D), where K divides H and each head of keys
/// serves H / K heads of queries in a row, into out (n, B, H, D), rounded to E and then to Out, and, if
/// given, lse (n, B, H), the natural logarithm of the sum of exponentials. Keys that `mask` hides do not
/// exist. With Output::merge, out and lse hold attention over other keys, and then attention over both. The
/// last dimension is dense, and every row begins at a multiple of 16 bytes. Where zeros pad heads of fewer
/// `features`, D of the scale is these.
template <int HeadDim, class E, class Out>
void attention(cudaStream_t stream, In<E, 4> q, In<E, 4> k, In<E, 4> v, const Stretches<Out, 4>& out,
               View<float, 3> lse = {}, Output output = Output::replace, const KeyMask& mask = {},
               Index features = HeadDim) {
  static_assert(std::is_same_v<E, __nv_bfloat16> || std::is_same_v<E, __half>,
                "Attention computes in __nv_bfloat16 or __half.");
  static_assert(HeadDim > 0 && HeadDim % 8 == 0 && HeadDim <= 128,
                "Attention takes head dimensions up to 128 that are multiples of 8.");
  check_attention<E>(q, k, v, out, lse, output, HeadDim);
  check_key_mask(mask, q.extent[1]);
  if (q.empty()) return;
  if (out.views().size() > AttentionResult<E>::most) {
    Range rows{0, 0};
    for (auto first = out.views().begin(); first != out.views().end();) {
      const auto last = first + std::min<std::ptrdiff_t>(AttentionResult<E>::most, out.views().end() - first);
      const Stretches<Out, 4> some({first, last});
      rows = {rows.end, rows.end + some.extent()[0]};
      attention<HeadDim, E>(stream, q.template slice<0>(rows), k, v, some,
                            lse.data ? lse.template slice<0>(rows) : lse, output, mask, features);
      first = last;
    }
    return;
  }
  const AttentionResult<E, Out> result(out, lse, output);
  if (k.extent[0] == 0) {
    if (output == Output::merge) return;
    const dim3 heads(q.extent[0], q.extent[1], q.extent[2]);
    attend_nothing<<<heads, warp_size, 0, stream>>>(result, HeadDim);
    return check(cudaGetLastError(), "launching attention");
  }
  switch (current_tier()) {
    case Tier::sm100a:
      return sm100::launch_attention<sm100::Tcgen05, HeadDim>(stream, q, k, v, result, mask, features);
    case Tier::sm90a:
      return sm90::launch_attention<HeadDim>(stream, q, k, v, result, mask, features);
    case Tier::sm80:
      return sm80::launch_attention<HeadDim>(stream,
                                             AttentionOperands<E, Out>(q, k, v, result, mask, features));
    case Tier::sm70:
      if constexpr (std::is_same_v<E, __half>)
        return sm70::launch_attention<HeadDim>(stream,
                                               AttentionOperands<E, Out>(q, k, v, result, mask, features));
      reject("bfloat16 needs code for a GPU of compute capability 8.0 or newer; use __half here");
  }
}

template <int HeadDim, class E>
void attention(cudaStream_t stream, In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out,
               View<float, 3> lse = {}, Output output = Output::replace, const KeyMask& mask = {},
               Index features = HeadDim) {
  attention<HeadDim, E>(stream, q, k, v, Stretches<E, 4>(out), lse, output, mask, features);
}

/// Computes the same with a given tiling of sm_90a; throws std::logic_error if the tiling cannot run.
template <int HeadDim, sm90::TilingName name, class E>
void attention_with(cudaStream_t stream, In<E, 4> q, In<E, 4> k, In<E, 4> v, View<E, 4> out,
                    View<float, 3> lse = {}, Output output = Output::replace) {
  const Stretches<E, 4> whole(out);
  check_attention<E>(q, k, v, whole, lse, output, HeadDim);
  const sm90::Plan plan = sm90::plan(name, sm90::size_of(q, k), multiprocessors());
  if (!plan.runs() || q.empty() || k.empty())
    throw std::logic_error(sentence("attention cannot run with the tiling ", to_string(name)));
  sm90::launch_planned<HeadDim, name>(stream, q, k, v, AttentionResult<E>(whole, lse, output), plan, HeadDim);
}

}  // namespace weft::inline v0_1::kernels
