// Counters of a queue, by which tests hold denoising loops to no allocation and no synchronization.
#pragma once

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

struct QueueCounts {
  Index allocations = 0;  // of the device's memory; on the host, of buffers, while operators may take more
  Index synchronizations = 0;  // waits of the host for the device
  Index uploads = 0;           // copies from the host to the device
  Index recordings = 0;        // of work that is replayed

  friend constexpr bool operator==(const QueueCounts&, const QueueCounts&) = default;
  friend constexpr QueueCounts operator-(const QueueCounts& a, const QueueCounts& b) {
    return {a.allocations - b.allocations, a.synchronizations - b.synchronizations, a.uploads - b.uploads,
            a.recordings - b.recordings};
  }
};

}  // namespace weft::inline v0_1
