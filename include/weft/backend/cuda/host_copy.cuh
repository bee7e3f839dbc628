// Blocking copies of a few bytes from the host to a device.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "weft/check.cuh"

namespace weft::inline v0_1::cuda {

/// Copies bytes; returns when all streams and devices see them. cudaMemcpy alone may return once it has read
/// pageable memory.
inline void copy_from_host(void* to, const void* from, std::size_t bytes) {
  kernels::check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "copying to the device");
  kernels::check(cudaStreamSynchronize(nullptr), "copying to the device");
}

}  // namespace weft::inline v0_1::cuda
