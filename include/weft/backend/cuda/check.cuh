// What the Cuda backend refuses before work starts.
#pragma once

#include <cuda_bf16.h>

#include <string>
#include <type_traits>

#include "weft/check.cuh"
#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/tier.cuh"

namespace weft::cuda {

using kernels::check;

inline void check_head_dim(Index head_dim) {
  if (head_dim % 8 != 0 || head_dim > 128)
    refuse("the model's heads have ", head_dim,
           " features; on CUDA devices they are a multiple of 8 and at most 128, and weft::Host takes any");
}

/// Half precision needs the head dimension to be one of those named, and bfloat16 a GPU that has it.
template <class E, int... HeadDims>
void check_half_precision(Index head_dim) {
  constexpr bool bfloat16 = std::is_same_v<E, __nv_bfloat16>;
  if (bfloat16 && kernels::current_tier() == kernels::Tier::sm70)
    refuse(
        "bfloat16 needs a GPU of compute capability 8.0 or newer, and code compiled for it; use __half here");
  if (((head_dim == HeadDims) || ...)) return;
  std::string named;
  ((named += sentence(HeadDims, ", ")), ...);
  refuse("the model's heads have ", head_dim, " features, and half precision is compiled for ",
         named.empty() ? "none" : "others", "; name it too: weft::Cuda<",
         bfloat16 ? "__nv_bfloat16" : "__half", ", ", named, head_dim, ">");
}

/// e4m3 needs tensor cores that have it.
inline void check_e4m3() {
  int device, major, minor;
  check(cudaGetDevice(&device), "Asking for the current device");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "Asking for the device");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "Asking for the device");
  if (10 * major + minor < 89)
    refuse("FP8 needs a GPU of compute capability 8.9 or newer, and this one has ", major, ".", minor,
           "; use __nv_bfloat16 here");
}

}  // namespace weft::cuda
