// The types of options.dtype on a device.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <type_traits>

#include "../options.hpp"

namespace command {

/// act(std::type_identity<E>()) for the type that the options name.
template <class Act>
auto in_dtype(Dtype dtype, const Act& act) {
  switch (dtype) {
    case Dtype::bf16:
      return act(std::type_identity<__nv_bfloat16>());
    case Dtype::fp16:
      return act(std::type_identity<__half>());
    case Dtype::fp8:
      return act(std::type_identity<__nv_fp8_e4m3>());
    default:
      return act(std::type_identity<float>());
  }
}

}  // namespace command
