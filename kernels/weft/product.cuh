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

/// Returns whether product() has an activation.
inline bool product_has(Activation activation) {
  return activation == Activation::none || activation == Activation::gelu_tanh;
}

/// Returns whether memory begins at a multiple of 16 bytes.
inline bool begins_aligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % vector_bytes == 0;
}
/// Returns whether all rows (outer, inner), of numbers of `size` bytes, do.
bool rows_begin_aligned(const auto& rows, Index size) {
  return begins_aligned(rows.data) && (rows.extent[0] == 1 || rows.stride[0] * size % vector_bytes == 0) &&
         (rows.extent[1] == 1 || rows.stride[1] * size % vector_bytes == 0);
}

/// Returns whether product() runs on the current device for these arguments: in half precision on sm_90a, of
/// operands in half precision or e4m3, where all rows and vectors begin at multiples of 16 bytes, outputs are
/// a multiple of 8, it has the activation, and at most `most_gated_images` have gates.
template <class Operand, class E>
bool takes_product(const ProductArguments<Operand, E>& arguments) {
  if constexpr (std::is_same_v<E, __nv_bfloat16> || std::is_same_v<E, __half>) {
    if (current_tier() != Tier::sm90a) return false;
    const auto& [x, weight, taps, finish, out] = arguments;
    const Factors& gate = finish.gate;
    return product_has(finish.activation) && out.extent[2] % 8 == 0 &&
           rows_begin_aligned(x, sizeof(Operand)) && rows_begin_aligned(weight, sizeof(Operand)) &&
           rows_begin_aligned(out, sizeof(E)) && rows_begin_aligned(finish.residual, sizeof(E)) &&
           begins_aligned(finish.bias) && begins_aligned(gate.data) && gate.image_stride % 4 == 0 &&
           gate.step_stride % 4 == 0 && gate.images <= most_gated_images;
  }
  return false;
}

/// Computes out (outer, inner, outputs) = Σ over taps of x (rows, columns, depth), from the tap's row and
/// column on, times weight (taps, outputs, depth)ᵀ, finished. Rows of x that do not exist are zeros. Products
/// that run at the same time need partial sums of their own.
template <class Operand, class E>
void product(cudaStream_t stream, const ProductArguments<Operand, E>& arguments, PartialSums partial) {
  sm90::launch_product(stream, arguments, partial);
}

/// Returns how many bytes product() needs at most for partial sums on the current device.
inline std::size_t partial_sums_bytes() {
  return sizeof(float) * sm90::product_rows * sm90::product_columns[0] *
         static_cast<std::size_t>(multiprocessors());
}
/// Returns how many counts it needs at most.
inline std::size_t partial_counts() {
  return static_cast<std::size_t>(multiprocessors()) * sm90::product_rows / sm90::wgmma_rows;
}

}  // namespace weft::inline v0_1::kernels
