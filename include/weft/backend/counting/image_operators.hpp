// The counting backend's operators on images.
#pragma once

#include "weft/backend/counting/operators.hpp"
#include "weft/backend/image_operators.hpp"

namespace weft::inline v0_1::counting {

template <class X>
void group_moments(Queue& queue, const View<X, 3>& x, const View<double, 2>&) {
  detail::rows(queue, x);
}

template <class X, class Out>
void group_norm(Queue& queue, const View<X, 3>& x, const GroupNorm&, const View<Out, 3>& out) {
  detail::rows(queue, x, out);
}

template <class X>
void to_planes(Queue& queue, const View<X, 3>& x, const View<float, 3>& out) {
  detail::rows(queue, x, out);
}

/// Appends a product for all phases and taps together.
template <class X, class E, class Residual, class Out>
void convolve(Queue& queue, const View<X, 3>& x, Halo, const GroupNorm&, const ConvolutionWeights<E>& weights,
              const View<Residual, 3>& residual, const View<Out, 3>& out) {
  if (out.empty()) return;
  queue.append({.kind = WorkKind::product,
                .m = out.extent[0] * out.extent[1],
                .n = weights.outputs(),
                .k = weights.taps.extent[1] * weights.inputs(),
                .passes = residual.empty() ? 0 : 1,
                .bytes = detail::bytes_of(x) + detail::bytes_of(weights.taps) + detail::bytes_of(out)});
}

}  // namespace weft::inline v0_1::counting
