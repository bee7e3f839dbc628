// Addresses of shared memory, and loads of matrix fragments from it (ldmatrix).
#pragma once

#include <cstdint>

namespace weft::inline v0_1::kernels {

__device__ inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

/// Loads `Count` 8 × 8 matrices of 16-bit numbers from shared memory, one register a thread each. `row` is
/// the address of a row of 16 bytes; threads 8 · m to 8 · m + 7 pass the rows of matrix m. Thread t receives
/// columns 2 · (t % 4) and the next of row t / 4, or, `Transposed`, those rows of column t / 4.
template <int Count, bool Transposed = false>
__device__ void load_matrices(std::uint32_t* to, std::uint32_t row) {
  static_assert(Count == 2 || Count == 4);
  if constexpr (Count == 4 && Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(row)
                 : "memory");
  } else if constexpr (Count == 4) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(row)
                 : "memory");
  } else if constexpr (Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(row)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(row)
                 : "memory");
  }
}

}  // namespace weft::inline v0_1::kernels
