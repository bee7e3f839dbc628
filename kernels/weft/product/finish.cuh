// What a matrix product is made of beside its operands.
#pragma once

#include "weft/elementwise.cuh"

namespace weft::inline v0_1::kernels {

/// What is done to a product before it is written: out = residual + gate · activation(product · scale +
/// bias). What is null is left out. Rows are (outer, inner); the residual may be the output.
template <class E>
struct Finish {
  const float* scale = nullptr;  // of all numbers
  const E* bias = nullptr;       // (outputs)
  Activation activation = Activation::none;
  Factors gate{};                 // by inner rows
  RowsOf<const E, 3> residual{};  // (outer, inner, outputs)
};

inline constexpr int most_gated_images = 16, most_taps = 9;

/// Memory for partial sums, of partial_sums_bytes(), and partial_counts() counts that are 0 before and after
/// a product.
struct PartialSums {
  float* sums = nullptr;
  unsigned* counts = nullptr;
};

/// Returns rows (rows, columns) as a product has them: (1, rows, columns).
template <class T>
View<T, 3> one_below_the_other(const View<T, 2>& rows) {
  return {rows.data, {1, rows.extent[0], rows.extent[1]}, {0, rows.stride[0], 1}};
}

/// How far below the output's the rows are that one of a product's weights multiplies.
struct Tap {
  int outer = 0, inner = 0;
};

}  // namespace weft::inline v0_1::kernels
