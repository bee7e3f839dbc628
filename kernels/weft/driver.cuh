// Functions of the CUDA driver by name, so that a program also starts where there is no driver.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include "weft/check.cuh"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::kernels {

/// Returns a function of the driver, as it was in the given version of CUDA, such as 12000. `Function` is its
/// type in cuda.h. Throws InvalidArgument if the driver is older.
template <class Function>
Function* driver_function(const char* name, unsigned version) {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found{};
  check(cudaGetDriverEntryPointByVersion(name, &entry, version, cudaEnableDefault, &found),
        "looking up a function of the driver");
  if (found != cudaDriverEntryPointSuccess)
    reject("the CUDA driver has no ", name, "; use one of ", version / 1000, ".", version % 1000 / 10,
           " or newer");
  return reinterpret_cast<Function*>(entry);
}

}  // namespace weft::inline v0_1::kernels
