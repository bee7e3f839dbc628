// Matrix products on sm_100, whose sums lie in tensor memory, and what reads and writes that memory
// (tcgen05).
#pragma once

#include <cstdint>

#include "weft/machine.hpp"
#include "weft/shared_memory.cuh"
#include "weft/sm90/barrier.cuh"
#include "weft/tier.cuh"

namespace weft::inline v0_1::kernels::sm100 {

/// The tensor cores. An address of tensor memory has its lane in the upper 16 bits and its column, of 32
/// bits, in the lower ones.
struct Tcgen05 {
  static constexpr bool compiled = compiled_tier == Tier::sm100a;

  /// Allocates the block's tensor memory, all columns of it, and writes its address to shared memory; for a
  /// whole warp, one of whose calls frees it.
  static __device__ void allocate(std::uint32_t* address) {
    asm volatile(
        "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%0], %1;" ::"r"(shared_address(address)),
        "n"(tensor_columns)
        : "memory");
    asm volatile("tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;" ::: "memory");
  }
  static __device__ void free(std::uint32_t address) {
    asm volatile("tcgen05.dealloc.cta_group::1.sync.aligned.b32 %0, %1;" ::"r"(address), "n"(tensor_columns)
                 : "memory");
  }

  /// Issues sums (128, N) [+]= a (128, 16) · b (16, N) by one thread: b in shared memory, and a there too, or
  /// in tensor memory, two numbers a column. `kind` is a product_descriptor().
  static __device__ void multiply(std::uint32_t sums, std::uint64_t a, std::uint64_t b, std::uint32_t kind,
                                  bool accumulate) {
    asm volatile(
        "{\n"
        ".reg .pred add;\n"
        "setp.ne.b32 add, %4, 0;\n"
        "tcgen05.mma.cta_group::1.kind::f16 [%0], %1, %2, %3, add;\n"
        "}\n" ::"r"(sums),
        "l"(a), "l"(b), "r"(kind), "r"(int{accumulate})
        : "memory");
  }
  static __device__ void multiply_tensor(std::uint32_t sums, std::uint32_t a, std::uint64_t b,
                                         std::uint32_t kind, bool accumulate) {
    asm volatile(
        "{\n"
        ".reg .pred add;\n"
        "setp.ne.b32 add, %4, 0;\n"
        "tcgen05.mma.cta_group::1.kind::f16 [%0], [%1], %2, %3, add;\n"
        "}\n" ::"r"(sums),
        "r"(a), "l"(b), "r"(kind), "r"(int{accumulate})
        : "memory");
  }

  /// Arrives at a barrier once the products that this thread has issued are done. They are done in order.
  static __device__ void commit(sm90::Barrier& done) {
    asm volatile("tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%0];" ::"r"(
                     shared_address(&done))
                 : "memory");
  }

  // Around whatever else orders threads: before arriving, and after waiting.
  static __device__ void before_sync() { asm volatile("tcgen05.fence::before_thread_sync;" ::: "memory"); }
  static __device__ void after_sync() { asm volatile("tcgen05.fence::after_thread_sync;" ::: "memory"); }

  static constexpr int columns_at_once = 16;

  /// Issues a load of 16 columns, by a warp of the 32 lanes that are its own, a lane a thread. The numbers
  /// are there after await_loads().
  static __device__ void load(float* to, std::uint32_t from) {
    asm volatile(
        "tcgen05.ld.sync.aligned.32x32b.x16.b32 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, "
        "%14, %15}, [%16];"
        : "=f"(to[0]), "=f"(to[1]), "=f"(to[2]), "=f"(to[3]), "=f"(to[4]), "=f"(to[5]), "=f"(to[6]),
          "=f"(to[7]), "=f"(to[8]), "=f"(to[9]), "=f"(to[10]), "=f"(to[11]), "=f"(to[12]), "=f"(to[13]),
          "=f"(to[14]), "=f"(to[15])
        : "r"(from)
        : "memory");
  }
  /// Waits for this thread's loads, all of which have gone to `loaded`.
  template <int Count>
  static __device__ void await_loads(float (&loaded)[Count]) {
    asm volatile("tcgen05.wait::ld.sync.aligned;" ::: "memory");
#pragma unroll
    for (float& x : loaded) asm volatile("" : "+f"(x)::"memory");  // no use of it moves before this
  }

  /// Issues a store of 16 columns likewise.
  static __device__ void store(std::uint32_t to, const std::uint32_t* from) {
    asm volatile(
        "tcgen05.st.sync.aligned.32x32b.x16.b32 [%0], {%1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
        "%13, %14, %15, %16};" ::"r"(to),
        "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3]), "r"(from[4]), "r"(from[5]), "r"(from[6]),
        "r"(from[7]), "r"(from[8]), "r"(from[9]), "r"(from[10]), "r"(from[11]), "r"(from[12]), "r"(from[13]),
        "r"(from[14]), "r"(from[15])
        : "memory");
  }
  static __device__ void await_stores() { asm volatile("tcgen05.wait::st.sync.aligned;" ::: "memory"); }
};

}  // namespace weft::inline v0_1::kernels::sm100
