// CUDA's error codes as exceptions.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>

#include "weft/core/error.hpp"

namespace weft::inline v0_1::kernels {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears it, so that no later check of a launch reports it
  throw std::runtime_error(sentence(what, " failed: ", cudaGetErrorString(status)));
}

}  // namespace weft::inline v0_1::kernels
