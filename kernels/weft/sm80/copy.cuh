// Asynchronous copies of sm_80, 16 bytes each, from global to shared memory.
#pragma once

#include <cstdint>

namespace weft::inline v0_1::kernels::sm80 {

/// Issues a copy of 16 bytes, or, unless `exists`, of zeros without reading `from`.
__device__ inline void copy_async(std::uint32_t to, const void* from, bool exists) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(exists ? 16 : 0)
               : "memory");
}

/// Commits this thread's copies as a group.
__device__ inline void copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most `Pending` groups of this thread are in flight.
template <int Pending>
__device__ void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

}  // namespace weft::inline v0_1::kernels::sm80
