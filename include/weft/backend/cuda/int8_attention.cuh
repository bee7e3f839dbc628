// Int8Attention: a backend whose attention multiplies queries and keys in int8.
#pragma once

#include <concepts>
#include <utility>

#include "weft/backend/cuda.cuh"
#include "weft/core/int8_keys.hpp"
#include "weft/int8_attention.cuh"

namespace weft::inline v0_1 {

namespace cuda {

/// A queue whose attention takes keys in int8, or is told not to.
template <int... HeadDims>
class Int8QueueFor : public QueueFor<HeadDims...> {
 public:
  Int8QueueFor() = default;
  template <class... Arguments>
  explicit Int8QueueFor(bool takes_int8, Arguments&&... arguments)
      : QueueFor<HeadDims...>(std::forward<Arguments>(arguments)...), takes_int8_(takes_int8) {}

  bool takes_int8() const { return takes_int8_; }

 private:
  bool takes_int8_ = true;
};

/// Throws InvalidArgument unless the current device and head dimensions can take keys in int8.
template <int... HeadDims>
void check_int8_attention(Index head_dim) {
  if (kernels::current_tier() != kernels::Tier::sm90a)
    reject(
        "attention in int8 needs a GPU of compute capability 9.0, and code compiled for 90a; in 16 bits it "
        "runs on this one");
  if (((HeadDims != head_dim) && ...))
    reject("attention in int8 takes heads of the dimensions that are compiled, and the model's have ",
           head_dim, " features; in 16 bits it takes these");
}

namespace detail {

template <class E, class Out, int... HeadDims>
void int8_attention(Int8QueueFor<HeadDims...>& queue, In<E, 4> q, In<E, 4> k, In<E, 4> v,
                    const Stretches<Out, 4>& out, const View<float, 3>& lse, Output output,
                    const KeyMask& mask) {
  const bool is_compiled = ((q.extent[3] == HeadDims) || ...);
  const bool fits = k.extent[0] >= least_int8_keys && mask.empty() && is_compiled &&
                    out.views().size() <= kernels::AttentionResult<E>::most;
  if (!queue.takes_int8() || !fits)
    return attention(static_cast<QueueFor<HeadDims...>&>(queue), q, k, v, out, lse, output, mask);
  const auto span = queue.span(attention_work<E>("attention in int8", q, k));
  void* const room = queue.room(kernels::Int8Keys::room_for(k));
  const auto run_if = [&]<int head_dim>() {
    if (q.extent[3] != head_dim) return false;
    kernels::int8_attention<head_dim, E>(queue.stream(), q, k, v, out, lse, output, room);
    return true;
  };
  static_cast<void>((run_if.template operator()<HeadDims>() || ...));
}

}  // namespace detail

/// Computes attention as on other queues. Where there are least_int8_keys keys, none hidden, and the queue
/// takes int8, products of queries and keys are in int8, with a scale a query and one for 32 keys of a head.
template <class E, int... HeadDims>
void attention(Int8QueueFor<HeadDims...>& queue, In<E, 4> q, In<E, 4> k, In<E, 4> v,
               const Stretches<E, 4>& out, const View<float, 3>& lse = {}, Output output = Output::replace,
               const KeyMask& mask = {}) {
  detail::int8_attention<E>(queue, q, k, v, out, lse, output, mask);
}

template <std::same_as<__nv_fp8_e4m3> O, int... HeadDims>
void attention(Int8QueueFor<HeadDims...>& queue, In<__nv_bfloat16, 4> q, In<__nv_bfloat16, 4> k,
               In<__nv_bfloat16, 4> v, const Stretches<O, 4>& out, const View<float, 3>& lse = {},
               Output output = Output::replace, const KeyMask& mask = {}) {
  detail::int8_attention<__nv_bfloat16>(queue, q, k, v, out, lse, output, mask);
}

template <class Out, int... HeadDims>
void attention(Int8QueueFor<HeadDims...>& queue, const auto& q, const auto& k, const auto& v,
               const View<Out, 4>& out, const View<float, 3>& lse = {}, Output output = Output::replace,
               const KeyMask& mask = {}) {
  attention(queue, q, k, v, Stretches<Out, 4>(out), lse, output, mask);
}

}  // namespace cuda

/// The backend `Base` with attention's products of queries and keys in int8, on GPUs of sm_90a: faster where
/// tokens are many, with an error of about 1 % in attention's output. Text's few keys, hidden ones, weights
/// and values stay in 16 bits.
template <class Base>
struct Int8Attention {
  static_assert(sizeof(Base) == 0,
                "Int8Attention takes a backend weft::Cuda<E, HeadDims...> in half precision.");
};

template <class E, int... HeadDims>
struct Int8Attention<Cuda<E, HeadDims...>> : Cuda<E, HeadDims...> {
  static_assert(sizeof(typename Cuda<E, HeadDims...>::Element) == 2,
                "Int8Attention takes a backend weft::Cuda<E, HeadDims...> in half precision.");
  using Queue = cuda::Int8QueueFor<HeadDims...>;
  static constexpr bool attends_in_int8 = true;

  /// Makes a rank's queue; one that does not take int8 computes as Cuda does.
  static Queue queue(const auto& world, bool takes_int8 = true) {
    return cuda::queue_of<Queue>(world, takes_int8);
  }

  static void check(const DitShape& model) {
    Cuda<E, HeadDims...>::check(model);
    cuda::check_int8_attention<HeadDims...>(model.head_dim);
  }
};

}  // namespace weft::inline v0_1
