// The error of a whole tensor.
#pragma once

#include <cmath>
#include <cstddef>

#include "weft/core/tensor.hpp"

/// Returns √(Σ(a − b)² / Σb²), or infinity where the shapes differ.
inline double relative_error(const weft::Tensor& a, const weft::Tensor& b) {
  if (a.shape != b.shape) return INFINITY;
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.data.size(); ++i) {
    difference += std::pow(static_cast<double>(a.data[i]) - b.data[i], 2);
    size += std::pow(static_cast<double>(b.data[i]), 2);
  }
  return std::sqrt(difference / size);
}
