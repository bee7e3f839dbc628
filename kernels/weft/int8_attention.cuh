// Attention with products of queries and keys in int8, on sm_90a; those of weights and values stay in 16
// bits.
#pragma once

#include <stdexcept>

#include "weft/attention.cuh"
#include "weft/attention/int8_keys.cuh"

namespace weft::inline v0_1::kernels {

/// Computes what attention() does, without a mask and with output in at most AttentionResult<E>::most
/// stretches, in int8 as Int8Keys describes; `room` is Int8Keys::room_for(k) bytes of memory. Throws
/// std::logic_error for other operands, and where the GPU runs no code of sm_90a.
template <int HeadDim, class E, class Out>
void int8_attention(cudaStream_t stream, In<E, 4> q, In<E, 4> k, In<E, 4> v, const Stretches<Out, 4>& out,
                    View<float, 3> lse, Output output, void* room) {
  static_assert(HeadDim % 8 == 0 && HeadDim <= int8_key_bytes);
  check_attention<E>(q, k, v, out, lse, output, HeadDim);
  if (current_tier() != Tier::sm90a || k.empty() || out.views().size() > AttentionResult<E>::most)
    throw std::logic_error(
        "attention in int8 was given no keys, too many stretches, or another GPU than an sm_90a");
  if (q.empty()) return;
  const Int8Keys keys(room, k);
  quantize(stream, k, keys);
  sm90::launch_int8_attention<HeadDim>(stream, q, keys, v, AttentionResult<E, Out>(out, lse, output));
}

}  // namespace weft::inline v0_1::kernels
