// A barrier of devices that reach each other's memory, inside their streams.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "weft/check.cuh"

namespace weft::kernels {

/// Each member counts its barriers in memory of every other. Members must have a device of their own, since
/// they wait by spinning.
struct PeerBarrier {
  static constexpr int most = 64;

  std::uint32_t* counts[most];  // of every member, in its memory: (members)
  std::uint32_t* passed;        // how often this member has
  int members, self;
};

static __global__ void meet_peers(PeerBarrier barrier) {
  const int member = static_cast<int>(threadIdx.x);
  const std::uint32_t time = *barrier.passed + 1;
  if (member < barrier.members && member != barrier.self) {
    asm volatile(
        "fence.acq_rel.sys;\n\tst.release.sys.u32 [%0], %1;" ::"l"(barrier.counts[member] + barrier.self),
        "r"(time)
        : "memory");
    std::uint32_t theirs;
    do {
      asm volatile("ld.acquire.sys.u32 %0, [%1];"
                   : "=r"(theirs)
                   : "l"(barrier.counts[barrier.self] + member)
                   : "memory");
    } while (static_cast<std::int32_t>(theirs - time) < 0);
  }
  __syncthreads();
  if (member == 0) *barrier.passed = time;
}

/// Lets what is queued next come after all that every member has queued before its own call.
inline void meet(cudaStream_t stream, const PeerBarrier& barrier) {
  meet_peers<<<1, PeerBarrier::most, 0, stream>>>(barrier);
  check(cudaGetLastError(), "Waiting for other devices");
}

}  // namespace weft::kernels
