// Checks of a model before the Cuda backend starts any work.
#pragma once

#include <cuda_bf16.h>

#include <string>
#include <type_traits>

#include "weft/check.cuh"
#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/tier.cuh"

namespace weft::inline v0_1::cuda {

using kernels::check;

/// Throws InvalidArgument unless the backend has attention for heads of this dimension.
inline void check_head_dim(Index head_dim) {
  if (head_dim > 128)
    reject("the model's heads have ", head_dim,
           " features; on CUDA devices they have at most 128, and weft::Host takes any");
}

/// Returns the smallest of the head dimensions that holds heads of `head_dim` features, or 0.
template <int... HeadDims>
constexpr Index padded_head_dim(Index head_dim) {
  Index out = 0;
  ((out = HeadDims >= head_dim && (out == 0 || HeadDims < out) ? HeadDims : out), ...);
  return out;
}

/// Throws InvalidArgument unless the GPU has bfloat16 if E is, and the head dimension is one of those named
/// or, where it is no multiple of 8, so that tensor cores cannot take it as it is, below one.
template <class E, int... HeadDims>
void check_half_precision(Index head_dim) {
  constexpr bool bfloat16 = std::is_same_v<E, __nv_bfloat16>;
  if (bfloat16 && kernels::current_tier() == kernels::Tier::sm70)
    reject(
        "bfloat16 needs a GPU of compute capability 8.0 or newer, and code compiled for it; use __half here");
  const Index padded = padded_head_dim<HeadDims...>(head_dim);
  if (padded == head_dim || (padded > 0 && head_dim % 8 != 0)) return;
  std::string named;
  ((named += sentence(HeadDims, ", ")), ...);
  reject("the model's heads have ", head_dim, " features, and half precision is compiled for ",
         named.empty() ? "none" : "others", "; name ", head_dim % 8 == 0 ? "it" : "a multiple of 8",
         " too: weft::Cuda<", bfloat16 ? "__nv_bfloat16" : "__half", ", ", named, (head_dim + 7) / 8 * 8,
         ">");
}

/// Throws InvalidArgument unless both widths are multiples of 16, as products in e4m3 need.
inline void check_e4m3_layer(Index inputs, Index outputs) {
  if (inputs % 16 != 0 || outputs % 16 != 0)
    reject("the model has a linear layer of ", inputs, " → ", outputs,
           " features; FP8 needs multiples of 16, and bfloat16 takes any");
}

/// Throws InvalidArgument unless tensor cores have e4m3, and take the widths of the model's layers.
inline void check_e4m3(const DitShape& model) {
  check_e4m3_layer(model.width, model.ffn_width());
  check_e4m3_layer(model.width, model.heads * model.head_dim);
  int device, major, minor;
  check(cudaGetDevice(&device), "asking for the current device");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "asking for the device");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "asking for the device");
  if (10 * major + minor < 89)
    reject("FP8 needs a GPU of compute capability 8.9 or newer, and this one has ", major, ".", minor,
           "; use __nv_bfloat16 here");
}

}  // namespace weft::inline v0_1::cuda
