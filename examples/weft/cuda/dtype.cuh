// The type on a device for the options' dtype.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <string_view>
#include <type_traits>

#include "../options/options.hpp"
#include "backend.cuh"
#include "weft/core/error.hpp"

namespace command {

/// Returns whether this command was built for the dtype of that name, one of CMake's WEFT_DTYPES.
constexpr bool has_dtype(std::string_view name) {
  return std::string_view(WEFT_DTYPES).find(name) != std::string_view::npos;
}

[[noreturn]] inline void reject_dtype(std::string_view name) {
  weft::reject("this weft was built to compute on CUDA in ", WEFT_DTYPES, " and not in ", name,
               "; build it again without -DWEFT_DTYPES, for all dtypes");
}

/// Returns act(std::type_identity<E>()) for the type that the options name. Throws InvalidArgument where the
/// command was built without it.
template <class Act>
auto in_dtype(const Options& options, const Act& act) {
  if constexpr (has_dtype("fp32"))
    if (options.dtype == Dtype::fp32) return act(std::type_identity<float>());
  if constexpr (has_dtype("bf16"))
    if (options.dtype == Dtype::bf16) return act(std::type_identity<__nv_bfloat16>());
  if constexpr (has_dtype("fp16"))
    if (options.dtype == Dtype::fp16) return act(std::type_identity<__half>());
  if constexpr (has_dtype("fp8"))
    if (options.dtype == Dtype::fp8) return act(std::type_identity<__nv_fp8_e4m3>());
  reject_dtype(options.dtype_name);
}

}  // namespace command
