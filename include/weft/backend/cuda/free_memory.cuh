// What the current device has left.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string_view>

#include "weft/backend/free_memory.hpp"
#include "weft/check.cuh"
#include "weft/core/digest.hpp"

namespace weft::inline v0_1::cuda {

/// Returns the current device's free memory, with the device's UUID as the memory's name.
[[nodiscard]] inline FreeMemory free_memory() {
  int device = 0;
  kernels::check(cudaGetDevice(&device), "asking for the current device");
  cudaDeviceProp properties{};
  kernels::check(cudaGetDeviceProperties(&properties, device), "asking for a device's name");
  std::size_t free = 0, all = 0;
  kernels::check(cudaMemGetInfo(&free, &all), "asking for free memory");
  return {digest_of(std::string_view(properties.uuid.bytes, sizeof properties.uuid.bytes)), free};
}

}  // namespace weft::inline v0_1::cuda
