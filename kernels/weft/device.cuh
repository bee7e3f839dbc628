// Properties of the current device.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "weft/check.cuh"

namespace weft::inline v0_1::kernels {

inline int multiprocessors() {
  int device, count;
  check(cudaGetDevice(&device), "asking for the current device");
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "counting multiprocessors");
  return count;
}

/// Returns the current device's name, such as "NVIDIA H200".
inline std::string device_name() {
  int device;
  cudaDeviceProp gpu;
  check(cudaGetDevice(&device), "asking for the current device");
  check(cudaGetDeviceProperties(&gpu, device), "asking for the device's properties");
  return gpu.name;
}

}  // namespace weft::inline v0_1::kernels
