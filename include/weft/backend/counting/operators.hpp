// The counting backend's operators. Each appends one Work and computes nothing, for views of any backend's
// numbers: so a model whose weights are on a device can be counted too. A new operator of the concept Backend
// gets its counting here; without it counting.hpp does not compile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "weft/backend/counting/queue.hpp"
#include "weft/backend/operators.hpp"
#include "weft/backend/project_heads.hpp"
#include "weft/core/grid.hpp"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/core/quantile.hpp"
#include "weft/core/stretches.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1::counting {

namespace detail {

template <class T, int Rank>
Index bytes_of(const View<T, Rank>& x) {
  return x.size() * static_cast<Index>(sizeof(T));
}

/// Appends an operator that reads and writes these views.
template <class... Views>
void rows(Queue& queue, const Views&... views) {
  if (const Index bytes = (bytes_of(views) + ...); bytes > 0)
    queue.append({.kind = WorkKind::rows, .bytes = bytes});
}

/// Returns a product without an epilogue.
template <class X, class E, class O, class Out>
Work product(const View<X, 2>& x, const LinearWeights<E, O>& weights, const View<Out, 2>& out) {
  return {.kind = WorkKind::product,
          .m = out.extent[0],
          .n = out.extent[1],
          .k = x.extent[1],
          .bytes = bytes_of(x) + bytes_of(weights.weight) + bytes_of(out)};
}

}  // namespace detail

template <class X, class E, class O, class Out>
void linear(Queue& queue, const View<X, 2>& x, const LinearWeights<E, O>& weights, const View<Out, 2>& out,
            const std::type_identity_t<Epilogue<E>>& epilogue = {}) {
  if (out.empty()) return;
  Work work = detail::product(x, weights, out);
  work.passes = (epilogue.activation == Activation::none ? 0 : 1) + (epilogue.residual.empty() ? 0 : 1);
  queue.append(work);
}

/// Appends the layers of heads of so many features.
template <class E, class O>
void layers_of_heads(Queue& queue, const std::vector<HeadProjection<E, O>>& projections, Index head_dim) {
  for (const HeadProjection<E, O>& one : projections) {
    Work work = detail::product(one.x, one.layer, one.out);
    work.head_dim = head_dim;
    queue.append(work);
  }
}

template <class T>
void activate(Queue& queue, Activation, const View<T, 2>& x) {
  detail::rows(queue, x, x);
}

template <class A, class B, class Out>
void add(Queue& queue, const View<A, 2>& a, const View<B, 2>& b, const View<Out, 2>& out) {
  detail::rows(queue, a, b, out);
}

template <class A, class B, class Out>
void subtract(Queue& queue, const View<A, 2>& a, const View<B, 2>& b, const View<Out, 2>& out) {
  detail::rows(queue, a, b, out);
}

template <class T>
void sum_copies(Queue& queue, const std::vector<View<T, 2>>& copies) {
  Index bytes = 0;
  for (const View<T, 2>& copy : copies) bytes += 2 * detail::bytes_of(copy);
  if (bytes > 0) queue.append({.kind = WorkKind::rows, .bytes = bytes});
}

template <class G, class V, class Out>
void gated_unit(Queue& queue, Activation, const View<G, 2>& gate, const View<V, 2>& value,
                const View<Out, 2>& out) {
  detail::rows(queue, gate, value, out);
}

template <class X, class Out>
void modulate(Queue& queue, const View<X, 3>& x, const Modulation&, const View<Out, 3>& out) {
  detail::rows(queue, x, out);
}

template <class X, class Out>
void norm(Queue& queue, const View<X, 3>& x, const NormWeights&, const Modulation&, const View<Out, 3>& out) {
  detail::rows(queue, x, out);
}

/// Appends a norm of either half of the features.
template <class X, class Skip, class Out>
void norm_pair(Queue& queue, const View<X, 3>& x, const View<Skip, 3>& skip, const NormWeights&,
               const View<Out, 3>& out) {
  detail::rows(queue, x, out.template slice<2>({0, x.extent[2]}));
  detail::rows(queue, skip, out.template slice<2>({x.extent[2], out.extent[2]}));
}

template <class X, class Out>
void norm_rotate(Queue& queue, const View<X, 4>& x, const NormWeights*, const Rotation&,
                 const View<Out, 4>& out) {
  detail::rows(queue, x, out);
}

template <class E>
void move_heads(Queue& queue, const std::vector<HeadMove<E>>& moves) {
  Index bytes = 0;
  for (const HeadMove<E>& move : moves) bytes += detail::bytes_of(move.from) + detail::bytes_of(move.to);
  if (bytes > 0) queue.append({.kind = WorkKind::rows, .bytes = bytes});
}

using v0_1::detail::project_heads;

template <class Q, class K, class V, class Out>
void attention(Queue& queue, const View<Q, 4>& q, const View<K, 4>& k, const View<V, 4>& v,
               const Stretches<Out, 4>& out, const View<float, 3>& = {}, Output = Output::replace,
               const KeyMask& = {}) {
  if (q.empty()) return;
  Index bytes = detail::bytes_of(q) + detail::bytes_of(k) + detail::bytes_of(v);
  for (const View<Out, 4>& view : out.views()) bytes += detail::bytes_of(view);
  queue.append({.kind = WorkKind::attention,
                .m = q.extent[0],
                .n = k.extent[0],
                .k = q.extent[1] * q.extent[2],
                .head_dim = q.extent[3],
                .bytes = bytes});
}
template <class Q, class K, class V, class Out>
void attention(Queue& queue, const View<Q, 4>& q, const View<K, 4>& k, const View<V, 4>& v,
               const View<Out, 4>& out, const View<float, 3>& lse = {}, Output output = Output::replace,
               const KeyMask& mask = {}) {
  attention(queue, q, k, v, Stretches<Out, 4>(out), lse, output, mask);
}

template <class From, class To, int Rank>
void copy(Queue& queue, const View<From, Rank>& from, const View<To, Rank>& to) {
  detail::rows(queue, from, to);
}
template <class T>
void fill(Queue& queue, const std::type_identity_t<T>&, const View<T, 1>& to) {
  detail::rows(queue, to);
}
template <class From>
void copy_bytes(Queue& queue, const View<From, 1>& from, const View<std::byte, 1>& to) {
  detail::rows(queue, from, to);
}

/// Narrow elements to operands, and weights when they are loaded.
template <class From, class To>
void narrow(Queue& queue, const View<From, 2>& from, const View<To, 2>& to) {
  detail::rows(queue, from, to);
}
template <class From, class To>
void narrow_weights(Queue& queue, const View<From, 2>& from, const View<To, 2>& to, const View<float, 1>&) {
  detail::rows(queue, from, to);
}

/// Copy between host and device, which is no work of the device; what comes back is 0.
template <class T, int Rank>
void upload(Queue&, const View<const float, Rank>&, const View<T, Rank>&) {}
template <class T, int Rank>
void upload(Queue&, const Tensor&, const View<T, Rank>&) {}
template <class T, int Rank>
[[nodiscard]] Tensor download(Queue&, const View<T, Rank>& from) {
  return Tensor(Shape(from.extent.begin(), from.extent.end()));
}

template <Grid G>
void noise(Queue& queue, const std::uint64_t*, Step, const G&, Index, Range, const View<float, 3>& out) {
  detail::rows(queue, out);
}
inline void guide(Queue& queue, In<float, 3> negative, const float*, const View<float, 3>& positive) {
  detail::rows(queue, negative, positive, positive);
}
inline void weigh(Queue& queue, In<float, 3> predictions, In<float, 2>, Step, const View<float, 3>& out) {
  detail::rows(queue, predictions, out);
}
inline void moments(Queue& queue, In<float, 3> x, const View<double, 2>&) { detail::rows(queue, x); }
inline void rescale(Queue& queue, In<double, 3>, In<double, 3>, Index, const float*,
                    const View<float, 3>& x) {
  detail::rows(queue, x, x);
}
inline void magnitudes(Queue& queue, In<float, 2>, Step, In<float, 3> output, In<float, 3> x,
                       const View<float, 3>& out) {
  detail::rows(queue, output, x, out);
}
inline void count_digits(Queue& queue, In<float, 3> magnitudes, const QuantileSearch*, int,
                         const View<double, 2>& counts) {
  detail::rows(queue, magnitudes, counts);
}
inline void start_searches(Queue& queue, In<float, 2>, Step, Index, const View<QuantileSearch, 1>& searches) {
  detail::rows(queue, searches);
}
inline void narrow_searches(Queue& queue, In<double, 2> counts, const View<QuantileSearch, 1>& searches) {
  detail::rows(queue, counts, searches);
}
inline void denoise(Queue& queue, In<float, 2>, Step, In<float, 3> output, In<float, 4> noises,
                    const QuantileSearch*, const View<float, 3>& x, const View<float, 3>& estimate) {
  detail::rows(queue, output, noises.empty() ? View<const float, 3>() : noises[0], x, x, estimate, estimate);
}

}  // namespace weft::inline v0_1::counting
