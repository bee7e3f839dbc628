// Sums over ranks, in the ranks' order, so that all compute the same bits.
#pragma once

#include "weft/core/range.hpp"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::peer {

struct Parts {
  static constexpr int most = 64;
  const double* values[most];
};

struct SumParts {
  Parts parts;
  int count;
  double* sums;

  __device__ void operator()(Index i, int) const {
    double sum = 0;
    for (int part = 0; part < count; ++part) sum += parts.values[part][i];
    sums[i] = sum;
  }
};

inline void sum_parts(cudaStream_t stream, const Parts& parts, int count, Index size, double* sums) {
  kernels::for_each_number(stream, size, 1, SumParts{parts, count, sums});
}

}  // namespace weft::inline v0_1::peer
