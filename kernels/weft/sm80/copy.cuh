// Asynchronous copies of sm_80, 16 bytes each, from global to shared memory.
#pragma once

#include <cstdint>

namespace weft::kernels::sm80 {

/// Without `exists` nothing is read and zeros are written.
__device__ inline void copy_async(std::uint32_t to, const void* from, bool exists) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(exists ? 16 : 0)
               : "memory");
}

/// Ends a group of this thread's copies.
__device__ inline void copies_end() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most `Pending` groups of this thread are under way.
template <int Pending>
__device__ void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

}  // namespace weft::kernels::sm80
