// A few bytes from the host to a device, at once.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "weft/check.cuh"

namespace weft::cuda {

/// Returns when the bytes are there, for streams and other devices too. cudaMemcpy alone may return when it
/// has read pageable memory, while the bytes are still on their way.
inline void copy_from_host(void* to, const void* from, std::size_t bytes) {
  kernels::check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "Copying to the device");
  kernels::check(cudaStreamSynchronize(nullptr), "Copying to the device");
}

}  // namespace weft::cuda
