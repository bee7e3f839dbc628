// Sums over ranks, in the ranks' order, so that all compute the same bits.
#pragma once

#include "weft/core/view.hpp"
#include "weft/elementwise.cuh"
#include "weft/pack.cuh"

namespace weft::inline v0_1::peer {

/// Where the values of a rank go, in the memory of every member.
struct Parts {
  static constexpr int most = 64;
  double* values[most];
  int count;
};

struct StoreParts {
  const double* values;
  Parts parts;

  __device__ void operator()(Index member, int i) const { parts.values[member][i] = values[i]; }
};

/// Stores values (values) in the memory of every member.
inline void store_parts(cudaStream_t stream, const View<double, 1>& values, const Parts& parts) {
  kernels::for_each_number(stream, parts.count, values.size(), StoreParts{values.data, parts});
}

/// Sums = the rows of `parts` (members, values), in their order.
inline void sum_parts(cudaStream_t stream, const View<const double, 2>& parts, const View<double, 1>& sums) {
  kernels::for_each_number(stream, 1, sums.size(),
                           kernels::SumRows{parts.data, parts.extent[0], parts.extent[1], sums.data});
}

}  // namespace weft::inline v0_1::peer
