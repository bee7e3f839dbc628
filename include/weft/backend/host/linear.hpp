// Matrix products on the host, by Eigen.
#pragma once

#include <Eigen/Core>
#include <cmath>

#include "weft/backend/host/queue.hpp"
#include "weft/backend/operators.hpp"

namespace weft::host {

namespace detail {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;

inline auto mapped(const View<float, 2>& x) {
  return Eigen::Map<Matrix, 0, Stride>(x.data, x.extent[0], x.extent[1], Stride(x.stride[0]));
}
inline auto mapped(const View<const float, 2>& x) {
  return Eigen::Map<const Matrix, 0, Stride>(x.data, x.extent[0], x.extent[1], Stride(x.stride[0]));
}
inline auto mapped(const View<float, 1>& x) {
  return Eigen::Map<Eigen::Array<float, 1, Eigen::Dynamic>>(x.data, x.extent[0]);
}
inline auto mapped(const View<const float, 1>& x) {
  return Eigen::Map<const Eigen::Array<float, 1, Eigen::Dynamic>>(x.data, x.extent[0]);
}

/// x in place.
template <class Array>
void activate(Activation activation, Array&& x) {
  switch (activation) {
    case Activation::none:
      return;
    case Activation::silu:
      x = x / (1 + (-x).exp());
      return;
    case Activation::gelu_tanh: {
      constexpr float sqrt_2_over_pi = 0.79788456080286536f;
      // 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u))
      x = x / (1 + (-2 * sqrt_2_over_pi * (x + 0.044715f * x.cube())).exp());
      return;
    }
  }
}

inline void linear_tile(View<const float, 2> x, const LinearWeights<float>& weights, View<float, 2> out,
                        const Epilogue<float>& epilogue) {
  Matrix product(out.extent[0], out.extent[1]);
  product.noalias() = mapped(x) * mapped(weights.weight).transpose();
  for (Index r = 0; r < out.extent[0]; ++r) {
    auto row = product.row(r).array();
    if (!weights.bias.empty()) row += mapped(weights.bias);
    activate(epilogue.activation, row);
    if (epilogue.residual.empty()) {
      mapped(out[r]) = row;
    } else {
      mapped(out[r]) = row + mapped(epilogue.residual[r]);
    }
  }
}

}  // namespace detail

/// x (rows, in) → out (rows, out).
inline void linear(Queue& queue, In<float, 2> x, const LinearWeights<float>& weights, View<float, 2> out,
                   const Epilogue<float>& epilogue = {}) {
  constexpr Index grain = 8;
  const Index rows = out.extent[0], features = out.extent[1];
  if (rows >= grain * queue.workers().count()) {
    queue.workers().split(rows, grain, [&](Range part) {
      Epilogue<float> own = epilogue;
      if (!own.residual.empty()) own.residual = own.residual.slice<0>(part);
      detail::linear_tile(x.slice<0>(part), weights, out.slice<0>(part), own);
    });
  } else if (rows > 0) {
    queue.workers().split(features, grain, [&](Range part) {
      Epilogue<float> own = epilogue;
      if (!own.residual.empty()) own.residual = own.residual.slice<1>(part);
      detail::linear_tile(x, weights.slice(part), out.slice<1>(part), own);
    });
  }
}

/// x in place: (rows, features).
inline void activate(Queue& queue, Activation activation, View<float, 2> x) {
  queue.workers().split(x.extent[0], 16, [&](Range rows) {
    for (Index r = rows.begin; r < rows.end; ++r) detail::activate(activation, detail::mapped(x[r]));
  });
}

}  // namespace weft::host
