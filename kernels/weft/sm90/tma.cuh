// The tensor memory accelerator (TMA) of sm_90: loads boxes of a view into shared memory, with zeros outside
// of the view, and stores them.
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

/// Returns the tensor map of a view, innermost dimension first, for boxes under the 128-byte swizzle, whose
/// rows are at most 128 bytes, or without a swizzle, up to 256 numbers. Strides are those of the dimensions
/// after the first, in bytes: multiples of 16 below 2^40. Throws std::logic_error, which names `what` cannot
/// be read, for others.
template <class E, int Rank>
CUtensorMap tensor_map(E* data, const cuuint64_t (&extent)[Rank], const cuuint64_t (&stride)[Rank - 1],
                       const cuuint32_t (&box)[Rank], const char* what,
                       CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B) {
  static const auto encode =
      driver_function<decltype(cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled", 12000);
  using Number = std::remove_const_t<E>;
  constexpr auto type = sizeof(E) == 1                   ? CU_TENSOR_MAP_DATA_TYPE_UINT8
                        : std::is_same_v<Number, __half> ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                                         : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  cuuint32_t every[Rank];
  for (cuuint32_t& step : every) step = 1;
  CUtensorMap map;
  const CUresult status = encode(&map, type, Rank, const_cast<Number*>(data), extent, stride, box, every,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                 CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS)
    throw std::logic_error(
        sentence("a kernel cannot reach ", what, ": its strides must be positive and below 2^40 bytes"));
  return map;
}

/// Returns the tensor map of `view` for boxes of (Tokens, 1, 1, Columns).
template <int Tokens, int Columns, class E>
CUtensorMap tensor_map(View<const E, 4> view, const char* name) {
  static_assert(Columns * sizeof(E) % vector_bytes == 0 && Columns * sizeof(E) <= swizzle_bytes &&
                Tokens <= most_box_rows);
  // Innermost first: (D, tokens, H, B).
  const int order[] = {3, 0, 2, 1};
  cuuint64_t extent[4], stride[3];
  for (int d = 0; d < 4; ++d) {
    extent[d] = view.extent[order[d]];
    if (d > 0)
      stride[d - 1] = extent[d] == 1 ? vector_bytes : view.stride[order[d]] * sizeof(E);  // unused for one
  }
  return tensor_map(view.data, extent, stride, {Columns, Tokens, 1, 1}, name);
}

/// Returns the tensor map of `view` for boxes of (outer, inner, columns).
template <class E>
CUtensorMap tensor_map(const View<E, 3>& view, int outer, int inner, int columns, const char* name,
                       CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B) {
  cuuint64_t extent[3], stride[2];
  for (int d = 0; d < 3; ++d) extent[d] = view.extent[2 - d];
  for (int d = 1; d < 3; ++d)
    stride[d - 1] = extent[d] == 1 ? vector_bytes : view.stride[2 - d] * sizeof(E);  // unused for one
  const cuuint32_t box[] = {static_cast<cuuint32_t>(columns), static_cast<cuuint32_t>(inner),
                            static_cast<cuuint32_t>(outer)};
  return tensor_map(view.data, extent, stride, box, name, swizzle);
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

/// Issues the load of the box at (outer, inner, column) likewise.
template <int Cluster>
__device__ void load_box(const CUtensorMap& map, void* to, Barrier& done, int outer, int inner, int column) {
  if constexpr (Cluster == 1) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(to)),
        "l"(&map), "r"(shared_address(&done)), "r"(column), "r"(inner), "r"(outer)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster"
        " [%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(shared_address(to)),
        "l"(&map), "r"(shared_address(&done)), "r"(column), "r"(inner), "r"(outer),
        "h"(std::uint16_t((1 << Cluster) - 1))
        : "memory");
  }
}

/// Issues the load of so many bytes, a multiple of 16 that are aligned so; they complete on `done`.
__device__ inline void load_bytes(void* to, const void* from, int bytes, Barrier& done) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(&done))
      : "memory");
}

/// Issues the store of a box to (outer, inner, column); what is outside of the view is left out.
__device__ inline void store_box(const CUtensorMap& map, const void* from, int outer, int inner, int column) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map),
               "r"(shared_address(from)), "r"(column), "r"(inner), "r"(outer)
               : "memory");
}

/// Closes a group of this thread's stores, which may be empty.
__device__ inline void commit_stores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

/// Waits until at most `Pending` groups of this thread's stores still read shared memory.
template <int Pending>
__device__ void await_store_reads() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
}

/// Waits until all of this thread's stores are done.
__device__ inline void await_stores() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

}  // namespace weft::inline v0_1::kernels::sm90
