// The tensor cores of sm_100 in ordinary code, so that kernels written for them run on sm_90: tensor memory
// lies in global memory, and the thread that issues a product computes it. Descriptors are read as PTX's
// "Shared Memory Descriptor" and "Instruction Descriptor" of tcgen05 and its "Canonical Layouts" say, without
// the code that makes them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "weft/sm90/barrier.cuh"
#include "weft/tier.cuh"

namespace weft::kernels::test {

inline constexpr int most_blocks = 132, lanes = 128, columns = 512;
__device__ std::uint32_t tensor_memory[most_blocks][lanes][columns];

/// A matrix in shared memory, of 16-bit numbers.
struct SharedMatrix {
  std::uint32_t first, box_bytes, group_bytes;
  bool along_sum;  // the way of its rows

  __device__ SharedMatrix(std::uint64_t descriptor, bool s)
      : first((descriptor & 0x3fff) << 4),
        box_bytes((descriptor >> 16 & 0x3fff) << 4),
        group_bytes((descriptor >> 32 & 0x3fff) << 4),
        along_sum(s) {
    const std::uint64_t others = descriptor >> 46;
    if (others != (std::uint64_t{2} << 15 | 1)) __trap();  // 128-byte swizzle, no base offset; version 1
  }

  /// Returns the bits of the number that is the `sum_index`-th to be summed over, in row or column `index` of
  /// the result.
  __device__ std::uint16_t operator()(int index, int sum_index) const {
    const int row = along_sum ? index : sum_index, column = along_sum ? sum_index : index;
    const std::uint32_t at =
        first + row / 8 * group_bytes + row % 8 * 128 + column / 64 * box_bytes + column % 64 * 2;
    const std::uint32_t swizzled = at ^ (at >> 7 & 7) << 4;
    std::uint16_t bits;
    asm volatile("ld.shared.u16 %0, [%1];" : "=h"(bits) : "r"(swizzled) : "memory");
    return bits;
  }
};

/// What an instruction descriptor says.
struct ProductKind {
  bool bfloat16, b_along_sum;
  int columns;

  explicit __device__ ProductKind(std::uint32_t bits)
      : bfloat16(bits >> 7 & 7), b_along_sum((bits >> 16 & 1) == 0), columns((bits >> 17 & 63) * 8) {
    const bool float32_sums = (bits >> 4 & 3) == 1, same_types = (bits >> 7 & 7) == (bits >> 10 & 7),
               rows_of_128 = (bits >> 24 & 31) == 8, else_zero = (bits & 0xe080e04f) == 0;
    if (!float32_sums || !same_types || !rows_of_128 || !else_zero || columns % 16 != 0) __trap();
  }

  __device__ float widen(std::uint16_t bits) const {
    return bfloat16 ? __uint_as_float(std::uint32_t{bits} << 16) : __half2float(__ushort_as_half(bits));
  }
};

struct EmulatedTcgen05 {
  static constexpr bool compiled = compiled_tier == Tier::sm90a;

  static __device__ void allocate(std::uint32_t* address) {
    if (blockIdx.x >= most_blocks) __trap();
    *address = 0;
  }
  static __device__ void free(std::uint32_t) {}

  template <class A>
  static __device__ void add(std::uint32_t sums, const A& a_of, std::uint64_t b_descriptor,
                             const ProductKind& kind, bool accumulate) {
    const SharedMatrix b(b_descriptor, kind.b_along_sum);
    auto& memory = tensor_memory[blockIdx.x];
    for (int row = 0; row < lanes; ++row) {
      float a[16];
      for (int i = 0; i < 16; ++i) a[i] = kind.widen(a_of(row, i));
      for (int column = 0; column < kind.columns; ++column) {
        std::uint32_t& to = memory[row][sums + column];
        float sum = accumulate ? __uint_as_float(to) : 0;
        for (int i = 0; i < 16; ++i) sum = fmaf(a[i], kind.widen(b(column, i)), sum);
        to = __float_as_uint(sum);
      }
    }
  }
  static __device__ void multiply(std::uint32_t sums, std::uint64_t a, std::uint64_t b, std::uint32_t kind,
                                  bool accumulate) {
    add(sums, SharedMatrix(a, true), b, ProductKind(kind), accumulate);
  }
  static __device__ void multiply_tensor(std::uint32_t sums, std::uint32_t a, std::uint64_t b,
                                         std::uint32_t kind, bool accumulate) {
    const auto a_of = [a](int row, int i) {
      const std::uint32_t two = tensor_memory[blockIdx.x][row][a + i / 2];
      return static_cast<std::uint16_t>(i % 2 ? two >> 16 : two & 0xffff);
    };
    add(sums, a_of, b, ProductKind(kind), accumulate);
  }

  static __device__ void commit(sm90::Barrier& done) {
    sm90::fence_shared();  // operands have been read by ordinary loads, and TMA may overwrite them
    done.arrive();
  }
  static __device__ void before_sync() {}
  static __device__ void after_sync() {}

  static constexpr int columns_at_once = 16;
  static __device__ std::uint32_t* own(std::uint32_t address) {
    const std::uint32_t lane = threadIdx.x % warp_size, first = address >> 16;
    if (first != threadIdx.x / warp_size % 4 * warp_size) __trap();  // a warp reaches its own lanes alone
    return tensor_memory[blockIdx.x][first + lane] + (address & 0xffff);
  }
  static __device__ void load(float* to, std::uint32_t from) {
    for (int i = 0; i < columns_at_once; ++i) to[i] = __uint_as_float(own(from)[i]);
  }
  template <int Count>
  static __device__ void await_loads(float (&)[Count]) {}
  static __device__ void store(std::uint32_t to, const std::uint32_t* from) {
    for (int i = 0; i < columns_at_once; ++i) own(to)[i] = from[i];
  }
  static __device__ void await_stores() {}
};

}  // namespace weft::kernels::test
