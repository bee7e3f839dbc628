// Matrix products with all that follows them in one kernel, for GPUs that have it.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <type_traits>

#include "weft/product/sm90.cuh"

namespace weft::inline v0_1::kernels {

template <class Operand, class E>
using ProductArguments = sm90::ProductArguments<Operand, E>;

/// Returns whether product() runs on the current device for these arguments: in half precision on sm_90a, of
/// operands in half precision or e4m3, where all rows and vectors begin at multiples of 16 bytes, outputs are
/// a multiple of 8, the activation is none or gelu_tanh, and at most `most_gated_images` have gates.
template <class Operand, class E>
bool takes_product(const ProductArguments<Operand, E>& arguments) {
  if constexpr (std::is_same_v<E, __nv_bfloat16> || std::is_same_v<E, __half>) {
    if (current_tier() != Tier::sm90a) return false;
    const auto begins = [](const void* data) {
      return reinterpret_cast<std::uintptr_t>(data) % vector_bytes == 0;
    };
    const auto aligned = [&begins](const auto& rows, Index size) {
      return begins(rows.data) && (rows.extent[0] == 1 || rows.stride[0] * size % vector_bytes == 0) &&
             (rows.extent[1] == 1 || rows.stride[1] * size % vector_bytes == 0);
    };
    const auto& [x, weight, taps, finish, out] = arguments;
    const Factors& gate = finish.gate;
    const bool has_activation =
        finish.activation == Activation::none || finish.activation == Activation::gelu_tanh;
    return has_activation && out.extent[2] % 8 == 0 && aligned(x, sizeof(Operand)) &&
           aligned(weight, sizeof(Operand)) && aligned(out, sizeof(E)) &&
           aligned(finish.residual, sizeof(E)) && begins(finish.bias) && begins(gate.data) &&
           gate.image_stride % 4 == 0 && gate.step_stride % 4 == 0 && gate.images <= most_gated_images;
  }
  return false;
}

/// Computes out (outer, inner, outputs) = Σ over taps of x (rows, columns, depth), from the tap's row and
/// column on, times weight (taps, outputs, depth)ᵀ, finished. Rows of x that do not exist are zeros.
template <class Operand, class E>
void product(cudaStream_t stream, const ProductArguments<Operand, E>& arguments) {
  sm90::launch_product(stream, arguments);
}

}  // namespace weft::inline v0_1::kernels
