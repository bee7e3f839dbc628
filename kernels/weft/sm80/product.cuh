// Matrix products of a warp on sm_80, with float32 sums in registers.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

namespace weft::inline v0_1::kernels::sm80 {

/// Computes d (16, 8) += a (16, Depth) · b (Depth, 8), in registers as `load_matrices` fills them: of a the
/// matrices (upper, left), (lower, left), (upper, right), (lower, right); of b the upper and the lower one,
/// transposed.
template <class E, int Depth>
__device__ void multiply(float* d, const std::uint32_t* a, const std::uint32_t* b) {
  static_assert(Depth == 8 || Depth == 16);
#define WEFT_SUMS "{%0, %1, %2, %3}"
#define WEFT_DEEP(TYPE)                                                        \
  asm("mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32 " WEFT_SUMS \
      ", {%4, %5, %6, %7}, {%8, %9}, " WEFT_SUMS ";"                           \
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                         \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
#define WEFT_SHALLOW(TYPE)                                                                                   \
  asm("mma.sync.aligned.m16n8k8.row.col.f32." TYPE "." TYPE ".f32 " WEFT_SUMS ", {%4, %5}, {%6}, " WEFT_SUMS \
      ";"                                                                                                    \
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                       \
      : "r"(a[0]), "r"(a[1]), "r"(b[0]))
  if constexpr (std::is_same_v<E, __half>) {
    if constexpr (Depth == 16) {
      WEFT_DEEP("f16");
    } else {
      WEFT_SHALLOW("f16");
    }
  } else {
    if constexpr (Depth == 16) {
      WEFT_DEEP("bf16");
    } else {
      WEFT_SHALLOW("bf16");
    }
  }
#undef WEFT_SUMS
#undef WEFT_DEEP
#undef WEFT_SHALLOW
}

}  // namespace weft::inline v0_1::kernels::sm80
