// Matrix products and activations on the host, by Eigen. Each of its templates is instantiated in one place,
// since they are slow to compile.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "weft/backend/host/queue.hpp"
#include "weft/backend/operators.hpp"

namespace weft::inline v0_1::host {

namespace detail {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline View<float, 2> view_of(Matrix& x) { return {x.data(), {x.rows(), x.cols()}}; }

inline auto mapped(const View<float, 1>& x) {
  return Eigen::Map<Eigen::Array<float, 1, Eigen::Dynamic>>(x.data, x.extent[0]);
}

/// Adds x (n, k) · y (k, m) to out (n, m), where y is row-major or column-major, with `y_stride` elements
/// from one row or column to the next. Calls Eigen's kernel as Eigen's own BLAS does: the product of two maps
/// would instantiate a dozen more kernels.
template <int YOrder>
[[gnu::noinline]] void add_product(View<const float, 2> x, const float* y, Index y_stride,
                                   View<float, 2> out) {
  using Eigen::RowMajor;
  const Index rows = out.extent[0], columns = out.extent[1], depth = x.extent[1];
  Eigen::internal::gemm_blocking_space<RowMajor, float, float, Eigen::Dynamic, Eigen::Dynamic, Eigen::Dynamic>
      blocking(rows, columns, depth, 1, true);
  Eigen::internal::general_matrix_matrix_product<Eigen::Index, float, RowMajor, false, float, YOrder, false,
                                                 RowMajor, 1>::run(rows, columns, depth, x.data, x.stride[0],
                                                                   y, y_stride, out.data, 1, out.stride[0], 1,
                                                                   blocking, nullptr);
}

inline void clear(View<float, 2> x) {
  for (Index r = 0; r < x.extent[0]; ++r) std::fill_n(x[r].data, x.extent[1], 0.0f);
}

/// Computes x (n, k) · y (k, m) → out (n, m).
inline void multiply(View<const float, 2> x, View<const float, 2> y, View<float, 2> out) {
  clear(out);
  add_product<Eigen::RowMajor>(x, y.data, y.stride[0], out);
}

/// Adds x (n, k) · y (m, k) transposed to out (n, m).
inline void add_transposed(View<const float, 2> x, View<const float, 2> y, View<float, 2> out) {
  add_product<Eigen::ColMajor>(x, y.data, y.stride[0], out);
}

/// Computes x (n, k) · y (m, k) transposed → out (n, m).
inline void multiply_transposed(View<const float, 2> x, View<const float, 2> y, View<float, 2> out) {
  clear(out);
  add_transposed(x, y, out);
}

[[gnu::noinline]] inline float sum(View<float, 1> x) { return mapped(x).sum(); }
[[gnu::noinline]] inline float sum_of_squares(View<float, 1> x) { return mapped(x).square().sum(); }
[[gnu::noinline]] inline float highest(View<float, 1> x) { return mapped(x).maxCoeff(); }

/// Replaces every number by its exponential.
[[gnu::noinline]] inline void exponentiate(View<float, 1> x) { mapped(x) = mapped(x).exp(); }

/// Activates x in place.
inline void activate(Activation activation, View<float, 1> x) {
  if (activation == Activation::none) return;
  if (activation == Activation::gelu) {
    constexpr float sqrt_half = 0.70710678118654752f;
    for (Index i = 0; i < x.size(); ++i) x[i] *= 0.5f * std::erfc(-sqrt_half * x[i]);
    return;
  }
  constexpr float sqrt_2_over_pi = 0.79788456080286536f;
  constexpr Index most = 256;
  alignas(64) float powers[most];
  for (Index begin = 0; begin < x.size(); begin += most) {
    const Index count = std::min(most, x.size() - begin);
    float* const part = x.data + begin;
    if (activation == Activation::silu) {
      for (Index i = 0; i < count; ++i) powers[i] = -part[i];
    } else if (activation == Activation::quick_gelu) {
      for (Index i = 0; i < count; ++i) powers[i] = -1.702f * part[i];
    } else {
      // 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u))
      for (Index i = 0; i < count; ++i)
        powers[i] = -2 * sqrt_2_over_pi * (part[i] + 0.044715f * (part[i] * part[i] * part[i]));
    }
    exponentiate({powers, {count}});
    for (Index i = 0; i < count; ++i) part[i] = part[i] / (1 + powers[i]);
  }
}

/// Modulates a row of an image in place.
inline void modulate(View<float, 1> row, const Modulation& modulation, Index image) {
  if (!modulation.scale.empty()) {
    const View<const float, 1> scale = modulation.scale[modulation.step.index()][image];
    for (Index f = 0; f < row.size(); ++f) row[f] *= 1 + scale[f];
  }
  if (!modulation.shift.empty()) {
    const View<const float, 1> shift = modulation.shift[modulation.step.index()][image];
    for (Index f = 0; f < row.size(); ++f) row[f] += shift[f];
  }
}

/// Computes a tile of a linear layer's output in the calling thread; `first` is the number of its first row.
inline void linear_tile(View<const float, 2> x, const LinearWeights<float>& weights, View<float, 2> out,
                        const Epilogue<float>& epilogue, Index first) {
  Matrix memory(out.extent[0], out.extent[1]);
  const View<float, 2> product = view_of(memory);
  multiply_transposed(x, weights.weight, product);
  const Index features = out.extent[1];
  for (Index r = 0; r < out.extent[0]; ++r) {
    const View<float, 1> row = product[r];
    if (!weights.bias.empty())
      for (Index f = 0; f < features; ++f) row[f] += weights.bias[f];
    activate(epilogue.activation, row);
    if (!epilogue.gate.empty()) {
      const View<const float, 2> factors = epilogue.gate.factors[epilogue.gate.step.index()];
      const View<const float, 1> own = factors[(first + r) % factors.extent[0]];
      for (Index f = 0; f < features; ++f) row[f] *= own[f];
    }
    if (!epilogue.residual.empty())
      for (Index f = 0; f < features; ++f) row[f] += epilogue.residual[r][f];
    std::copy_n(row.data, features, out[r].data);
  }
}

}  // namespace detail

/// Computes x (rows, in) → out (rows, out).
inline void linear(Queue& queue, In<float, 2> x, const LinearWeights<float>& weights, View<float, 2> out,
                   const Epilogue<float>& epilogue = {}) {
  constexpr Index grain = 8;
  const Index rows = out.extent[0], features = out.extent[1];
  if (rows >= grain * queue.workers().count()) {
    queue.workers().parallel_for(rows, grain, [&x, &weights, &out, &epilogue](Range part) {
      Epilogue<float> own = epilogue;
      if (!own.residual.empty()) own.residual = own.residual.slice<0>(part);
      detail::linear_tile(x.slice<0>(part), weights, out.slice<0>(part), own, part.begin);
    });
  } else if (rows > 0) {
    queue.workers().parallel_for(features, grain, [&x, &weights, &out, &epilogue](Range part) {
      Epilogue<float> own = epilogue;
      if (!own.residual.empty()) own.residual = own.residual.slice<1>(part);
      if (!own.gate.empty()) own.gate.factors = own.gate.factors.slice<2>(part);
      detail::linear_tile(x, weights.slice(part), out.slice<1>(part), own, 0);
    });
  }
}

}  // namespace weft::inline v0_1::host
