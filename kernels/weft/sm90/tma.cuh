// The tensor memory accelerator (TMA) of sm_90: loads boxes of a (tokens, B, H, D) view into shared memory,
// with zeros outside of the view.
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
#include "weft/machine.hpp"
#include "weft/sm90/barrier.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Returns the tensor map of `view` for boxes of (Tokens, 1, 1, Columns), under the 128-byte swizzle.
template <int Tokens, int Columns, class E>
CUtensorMap tensor_map(View<const E, 4> view, const char* name) {
  static_assert(sizeof(E) == 2 && Columns % chunk_columns == 0 && Columns <= box_columns &&
                Tokens <= most_box_rows);
  static const auto encode =
      driver_function<decltype(cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled", 12000);

  // Innermost first: (D, tokens, H, B).
  const int order[] = {3, 0, 2, 1};
  cuuint64_t extent[4], stride[4];
  for (int d = 0; d < 4; ++d) {
    extent[d] = view.extent[order[d]];
    stride[d] = extent[d] == 1 ? vector_bytes : view.stride[order[d]] * sizeof(E);  // unused for one
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

/// Issues the load of the box at (token, batch, head, column) to `to`; its bytes complete on `done`. With
/// `Cluster` > 1 it is multicast to the same place in all blocks of the cluster, and completes on `done` in
/// each.
template <int Cluster>
__device__ void load_box(const CUtensorMap& map, void* to, Barrier& done, int token, int batch, int head,
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

}  // namespace weft::inline v0_1::kernels::sm90
