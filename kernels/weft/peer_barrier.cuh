// A barrier of devices that reach each other's memory, as a kernel on a stream of each.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "weft/check.cuh"

namespace weft::inline v0_1::kernels {

/// Each member publishes how many barriers it has come to in the memory of every other. The kernel waits by
/// spinning, so no two members may share a device.
struct PeerBarrier {
  static constexpr int most = 64;

  std::uint32_t* counts[most];  // in the memory of each member, what the others publish: (members)
  std::uint32_t* passed;        // this member's number of barriers so far
  int members, self;
};

static __global__ void peer_barrier(PeerBarrier barrier) {
  const int member = static_cast<int>(threadIdx.x);
  const std::uint32_t number = *barrier.passed + 1;
  if (member < barrier.members && member != barrier.self) {
    asm volatile(
        "fence.acq_rel.sys;\n\tst.release.sys.u32 [%0], %1;" ::"l"(barrier.counts[member] + barrier.self),
        "r"(number)
        : "memory");
    std::uint32_t theirs;
    do {
      asm volatile("ld.acquire.sys.u32 %0, [%1];"
                   : "=r"(theirs)
                   : "l"(barrier.counts[barrier.self] + member)
                   : "memory");
    } while (static_cast<std::int32_t>(theirs - number) < 0);
  }
  __syncthreads();
  if (member == 0) *barrier.passed = number;
}

/// Orders what is queued next behind what all members have queued before their calls.
inline void wait_at(const PeerBarrier& barrier, cudaStream_t stream) {
  peer_barrier<<<1, PeerBarrier::most, 0, stream>>>(barrier);
  check(cudaGetLastError(), "launching a barrier of devices");
}

}  // namespace weft::inline v0_1::kernels
