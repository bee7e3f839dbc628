// Asynchronous matrix products of a warpgroup on sm_90a (wgmma), with float32 accumulators in registers.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "weft/machine.hpp"
#include "weft/sm90/barrier.cuh"

namespace weft::inline v0_1::kernels::sm90 {

/// Returns the lower half of the descriptor of a matrix in shared memory, which consists of TMA boxes
/// with rows of 128 bytes under the 128-byte swizzle. `box_bytes` is the distance between boxes, if the
/// product spans several. In a cluster the upper bits of an address are the block's rank, and are masked out.
__device__ inline std::uint32_t descriptor_low(const void* data, int box_bytes = descriptor_unit) {
  constexpr std::uint32_t address_bits = 0x3ffff;
  return (shared_address(data) & address_bits) / descriptor_unit | box_bytes / descriptor_unit << 16;
}

/// Returns the descriptor of that matrix from `bytes` on. The upper half of a descriptor ("Matrix Descriptor
/// Format" of PTX's wgmma) holds the distance between groups of eight rows and the kind of swizzle.
__device__ inline std::uint64_t descriptor_at(std::uint32_t low, int bytes) {
  constexpr std::uint32_t swizzle_of_128_bytes = 1u << 30;
  constexpr std::uint32_t upper = swizzle_of_128_bytes | swizzle_span / descriptor_unit;
  return std::uint64_t{upper} << 32 | (low + bytes / descriptor_unit);
}

/// Orders register accesses before the products that are issued next.
__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/// Waits until at most `Pending` committed groups of products are in flight. `settle` the accumulators of the
/// others before use.
template <int Pending>
__device__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}

/// Keeps the compiler from moving uses of `d` across this point.
template <int Count>
__device__ void settle(float (&d)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(d[i])::"memory");
}
template <int Count>
__device__ void settle(std::int32_t (&d)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+r"(d[i])::"memory");
}

/// Issues d (64, N) [+]= a (64, 16) · b (16, N): a in registers, b in shared memory, as it is or
/// `Transposed`.
template <int N>
struct Product {
  static_assert(N < 0, "A matrix product is a multiple of 8 wide, up to 128.");
};

// Operand lists: WEFT_Dn names n accumulators in the text, WEFT_Cn binds them.
#define WEFT_D4 "%0,%1,%2,%3"
#define WEFT_D8 WEFT_D4 ",%4,%5,%6,%7"
#define WEFT_D12 WEFT_D8 ",%8,%9,%10,%11"
#define WEFT_D16 WEFT_D12 ",%12,%13,%14,%15"
#define WEFT_D20 WEFT_D16 ",%16,%17,%18,%19"
#define WEFT_D24 WEFT_D20 ",%20,%21,%22,%23"
#define WEFT_D28 WEFT_D24 ",%24,%25,%26,%27"
#define WEFT_D32 WEFT_D28 ",%28,%29,%30,%31"
#define WEFT_D36 WEFT_D32 ",%32,%33,%34,%35"
#define WEFT_D40 WEFT_D36 ",%36,%37,%38,%39"
#define WEFT_D44 WEFT_D40 ",%40,%41,%42,%43"
#define WEFT_D48 WEFT_D44 ",%44,%45,%46,%47"
#define WEFT_D52 WEFT_D48 ",%48,%49,%50,%51"
#define WEFT_D56 WEFT_D52 ",%52,%53,%54,%55"
#define WEFT_D60 WEFT_D56 ",%56,%57,%58,%59"
#define WEFT_D64 WEFT_D60 ",%60,%61,%62,%63"
#define WEFT_D72 WEFT_D64 ",%64,%65,%66,%67,%68,%69,%70,%71"
#define WEFT_D88 WEFT_D72 ",%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,%84,%85,%86,%87"
#define WEFT_D96 WEFT_D88 ",%88,%89,%90,%91,%92,%93,%94,%95"
#define WEFT_D128                                                                          \
  WEFT_D96                                                                                 \
  ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111,%112,%113" \
  ",%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define WEFT_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define WEFT_C4 WEFT_4(0)
#define WEFT_C8 WEFT_C4, WEFT_4(4)
#define WEFT_C12 WEFT_C8, WEFT_4(8)
#define WEFT_C16 WEFT_C12, WEFT_4(12)
#define WEFT_C20 WEFT_C16, WEFT_4(16)
#define WEFT_C24 WEFT_C20, WEFT_4(20)
#define WEFT_C28 WEFT_C24, WEFT_4(24)
#define WEFT_C32 WEFT_C28, WEFT_4(28)
#define WEFT_C36 WEFT_C32, WEFT_4(32)
#define WEFT_C40 WEFT_C36, WEFT_4(36)
#define WEFT_C44 WEFT_C40, WEFT_4(40)
#define WEFT_C48 WEFT_C44, WEFT_4(44)
#define WEFT_C52 WEFT_C48, WEFT_4(48)
#define WEFT_C56 WEFT_C52, WEFT_4(52)
#define WEFT_C60 WEFT_C56, WEFT_4(56)
#define WEFT_C64 WEFT_C60, WEFT_4(60)
#define WEFT_16(i) WEFT_4(i), WEFT_4(i + 4), WEFT_4(i + 8), WEFT_4(i + 12)
#define WEFT_C72 WEFT_C64, WEFT_4(64), WEFT_4(68)
#define WEFT_C88 WEFT_C72, WEFT_16(72)
#define WEFT_C96 WEFT_C88, WEFT_4(88), WEFT_4(92)
#define WEFT_C128 WEFT_C96, WEFT_16(96), WEFT_16(112)
#define WEFT_REGISTERS(N, R, TYPE, I0, I1, I2, I3, I4, I5, I6)                                         \
  asm volatile("{\n.reg .pred sum;\nsetp.ne.b32 sum, " I5 ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N \
               "k16.f32." TYPE "." TYPE " {" WEFT_D##R "}, {" I0 "," I1 "," I2 "," I3 "}, " I4         \
                                                       ", sum, 1, 1, " I6 ";\n}\n"                     \
               : WEFT_C##R                                                                             \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(int{Accumulate}),             \
                 "n"(int{!Transposed}))
#define WEFT_PRODUCT(N, R, I0, I1, I2, I3, I4, I5, I6)                                        \
  template <>                                                                                 \
  struct Product<N> {                                                                         \
    template <class E, bool Accumulate, bool Transposed>                                      \
    static __device__ void multiply(float (&d)[R], const std::uint32_t* a, std::uint64_t b) { \
      if constexpr (std::is_same_v<E, __half>) {                                              \
        WEFT_REGISTERS(N, R, "f16", I0, I1, I2, I3, I4, I5, I6);                              \
      } else {                                                                                \
        WEFT_REGISTERS(N, R, "bf16", I0, I1, I2, I3, I4, I5, I6);                             \
      }                                                                                       \
    }                                                                                         \
  };

WEFT_PRODUCT(8, 4, "%4", "%5", "%6", "%7", "%8", "%9", "%10")
WEFT_PRODUCT(16, 8, "%8", "%9", "%10", "%11", "%12", "%13", "%14")
WEFT_PRODUCT(24, 12, "%12", "%13", "%14", "%15", "%16", "%17", "%18")
WEFT_PRODUCT(32, 16, "%16", "%17", "%18", "%19", "%20", "%21", "%22")
WEFT_PRODUCT(40, 20, "%20", "%21", "%22", "%23", "%24", "%25", "%26")
WEFT_PRODUCT(48, 24, "%24", "%25", "%26", "%27", "%28", "%29", "%30")
WEFT_PRODUCT(56, 28, "%28", "%29", "%30", "%31", "%32", "%33", "%34")
WEFT_PRODUCT(64, 32, "%32", "%33", "%34", "%35", "%36", "%37", "%38")
WEFT_PRODUCT(72, 36, "%36", "%37", "%38", "%39", "%40", "%41", "%42")
WEFT_PRODUCT(80, 40, "%40", "%41", "%42", "%43", "%44", "%45", "%46")
WEFT_PRODUCT(88, 44, "%44", "%45", "%46", "%47", "%48", "%49", "%50")
WEFT_PRODUCT(96, 48, "%48", "%49", "%50", "%51", "%52", "%53", "%54")
WEFT_PRODUCT(104, 52, "%52", "%53", "%54", "%55", "%56", "%57", "%58")
WEFT_PRODUCT(112, 56, "%56", "%57", "%58", "%59", "%60", "%61", "%62")
WEFT_PRODUCT(120, 60, "%60", "%61", "%62", "%63", "%64", "%65", "%66")
WEFT_PRODUCT(128, 64, "%64", "%65", "%66", "%67", "%68", "%69", "%70")

#undef WEFT_PRODUCT

/// Issues d (64, N) [+]= a (64, K) · b (N, K)ᵀ, both in shared memory, where K numbers take 32 bytes.
template <int N>
struct SharedProduct {
  static_assert(N < 0, "A matrix product of shared memory is 128, 144, 176, 192 or 256 wide.");
};

#define WEFT_SHARED(N, R, KIND, END, I0, I1, I2)                                                            \
  asm volatile("{\n.reg .pred sum;\nsetp.ne.b32 sum, " I2 ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N KIND \
               " {" WEFT_D##R "}, " I0 ", " I1 ", sum, 1, 1" END ";\n}\n"                                   \
               : WEFT_C##R                                                                                  \
               : "l"(a), "l"(b), "r"(int{accumulate}))
#define WEFT_PRODUCT(N, R, I0, I1, I2)                                                                  \
  template <>                                                                                           \
  struct SharedProduct<N> {                                                                             \
    template <class E>                                                                                  \
    static __device__ void multiply(float (&d)[R], std::uint64_t a, std::uint64_t b, bool accumulate) { \
      if constexpr (std::is_same_v<E, __half>) {                                                        \
        WEFT_SHARED(N, R, "k16.f32.f16.f16", ", 0, 0", I0, I1, I2);                                     \
      } else if constexpr (std::is_same_v<E, __nv_bfloat16>) {                                          \
        WEFT_SHARED(N, R, "k16.f32.bf16.bf16", ", 0, 0", I0, I1, I2);                                   \
      } else {                                                                                          \
        WEFT_SHARED(N, R, "k32.f32.e4m3.e4m3", "", I0, I1, I2);                                         \
      }                                                                                                 \
    }                                                                                                   \
  };

WEFT_PRODUCT(128, 64, "%64", "%65", "%66")
WEFT_PRODUCT(144, 72, "%72", "%73", "%74")
WEFT_PRODUCT(176, 88, "%88", "%89", "%90")
WEFT_PRODUCT(192, 96, "%96", "%97", "%98")
WEFT_PRODUCT(256, 128, "%128", "%129", "%130")

#undef WEFT_PRODUCT

/// Issues d (64, N) += a (64, 32) · b (N, 32)ᵀ in int8, with sums of 32 bits: a in registers, b in shared
/// memory.
template <int N>
struct Int8Product {
  static_assert(N < 0, "A matrix product in int8 is 64, 96 or 128 wide.");
};

#undef WEFT_4
#define WEFT_4(i) "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3])
#define WEFT_PRODUCT(N, R, I0, I1, I2, I3, I4)                                                       \
  template <>                                                                                        \
  struct Int8Product<N> {                                                                            \
    static __device__ void multiply(std::int32_t (&d)[R], const std::uint32_t* a, std::uint64_t b) { \
      asm volatile("wgmma.mma_async.sync.aligned.m64n" #N "k32.s32.s8.s8 {" WEFT_D##R                \
                   "}, {" I0 "," I1 "," I2 "," I3 "}, " I4 ", 1;\n"                                  \
                   : WEFT_C##R                                                                       \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                            \
    }                                                                                                \
  };

WEFT_PRODUCT(64, 32, "%32", "%33", "%34", "%35", "%36")
WEFT_PRODUCT(96, 48, "%48", "%49", "%50", "%51", "%52")
WEFT_PRODUCT(128, 64, "%64", "%65", "%66", "%67", "%68")

#undef WEFT_PRODUCT
#undef WEFT_SHARED
#undef WEFT_16
#undef WEFT_D72
#undef WEFT_C72
#undef WEFT_D88
#undef WEFT_C88
#undef WEFT_D96
#undef WEFT_C96
#undef WEFT_D128
#undef WEFT_C128
#undef WEFT_REGISTERS
#undef WEFT_4
#undef WEFT_D4
#undef WEFT_C4
#undef WEFT_D8
#undef WEFT_C8
#undef WEFT_D12
#undef WEFT_C12
#undef WEFT_D16
#undef WEFT_C16
#undef WEFT_D20
#undef WEFT_C20
#undef WEFT_D24
#undef WEFT_C24
#undef WEFT_D28
#undef WEFT_C28
#undef WEFT_D32
#undef WEFT_C32
#undef WEFT_D36
#undef WEFT_C36
#undef WEFT_D40
#undef WEFT_C40
#undef WEFT_D44
#undef WEFT_C44
#undef WEFT_D48
#undef WEFT_C48
#undef WEFT_D52
#undef WEFT_C52
#undef WEFT_D56
#undef WEFT_C56
#undef WEFT_D60
#undef WEFT_C60
#undef WEFT_D64
#undef WEFT_C64

}  // namespace weft::inline v0_1::kernels::sm90
