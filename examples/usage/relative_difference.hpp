// How far apart the images of two runs are.
#pragma once

#include <algorithm>
#include <cmath>
#include <weft/core/tensor.hpp>

/// Returns the largest difference between numbers of two tensors of one shape, divided by the largest
/// expected.
inline float relative_difference(const weft::Tensor& images, const weft::Tensor& expected) {
  float difference = 0, largest = 0;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    difference = std::max(difference, std::abs(images.data.at(i) - expected.data[i]));
    largest = std::max(largest, std::abs(expected.data[i]));
  }
  return difference / largest;
}
