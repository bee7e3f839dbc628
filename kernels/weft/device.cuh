// Properties of the current device.
#pragma once

#include <cuda_runtime.h>

#include "weft/check.cuh"

namespace weft::inline v0_1::kernels {

inline int multiprocessors() {
  int device, count;
  check(cudaGetDevice(&device), "asking for the current device");
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "counting multiprocessors");
  return count;
}

}  // namespace weft::inline v0_1::kernels
