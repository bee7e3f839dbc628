// CUDA's error codes as exceptions.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>

#include "weft/core/error.hpp"

namespace weft::kernels {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that no later launch, which asks for the last error, takes it for its own
  throw std::runtime_error(sentence(what, " failed: ", cudaGetErrorString(status)));
}

}  // namespace weft::kernels
