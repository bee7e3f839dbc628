// The name of the current CUDA device.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "weft/check.cuh"

namespace command {

inline std::string device_name() {
  cudaDeviceProp gpu;
  int device;
  weft::kernels::check(cudaGetDevice(&device), "Asking for the current device");
  weft::kernels::check(cudaGetDeviceProperties(&gpu, device), "Asking for the device's properties");
  return gpu.name;
}

}  // namespace command
