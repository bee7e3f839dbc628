// The copy engine of sm_90: boxes of a (tokens, B, H, D) view into shared memory, zeros outside of the view.
#pragma once

#include <cuda.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <type_traits>

#include "weft/check.cuh"
#include "weft/core/error.hpp"
#include "weft/core/view.hpp"
#include "weft/driver.cuh"
#include "weft/sm90/barrier.cuh"

namespace weft::kernels::sm90 {

/// Columns of 16-bit numbers in shared memory: rows of 128 bytes under the 128-byte swizzle.
inline constexpr int box_columns = 64;

/// What the copy engine must know of `view` to fetch boxes of (Tokens, 1, 1, Columns), swizzled over their
/// rows.
template <int Tokens, int Columns, class E>
CUtensorMap box_map(View<const E, 4> view, const char* name) {
  static_assert(sizeof(E) == 2 && Columns % 8 == 0 && Columns <= box_columns && Tokens <= 256);
  static const auto encode =
      driver_function<decltype(cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled", 12000);

  // Innermost first: (D, tokens, H, B).
  const int order[] = {3, 0, 2, 1};
  cuuint64_t extent[4], stride[4];
  for (int d = 0; d < 4; ++d) {
    extent[d] = view.extent[order[d]];
    stride[d] = extent[d] == 1 ? 16 : view.stride[order[d]] * sizeof(E);  // nobody steps along an extent of 1
  }
  const cuuint32_t box[] = {Columns, Tokens, 1, 1};
  const cuuint32_t every[] = {1, 1, 1, 1};
  const auto type =
      std::is_same_v<E, __half> ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  CUtensorMap map;
  const CUresult status = encode(&map, type, 4, const_cast<E*>(view.data), extent, stride + 1, box, every,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS)
    throw std::logic_error(
        sentence("attention cannot read ", name, ": its strides must be positive and below 2^39"));
  return map;
}

/// Starts the copy of the box at (token, batch, head, column) to `to`; `done` counts its bytes. With a
/// cluster of `Cluster` blocks the box goes to the same place in all of them, and so do its bytes.
template <int Cluster>
__device__ void copy_box(const CUtensorMap& map, void* to, Barrier& done, int token, int batch, int head,
                         int column) {
  if constexpr (Cluster == 1) {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(shared_address(to)),
        "l"(&map), "r"(shared_address(&done)), "r"(column), "r"(token), "r"(head), "r"(batch)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster"
        " [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(shared_address(to)),
        "l"(&map), "r"(shared_address(&done)), "r"(column), "r"(token), "r"(head), "r"(batch),
        "h"(std::uint16_t((1 << Cluster) - 1))
        : "memory");
  }
}

}  // namespace weft::kernels::sm90
