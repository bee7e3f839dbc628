// FreeMemory: what a rank may still take of the memory in which its buffers lie.
#pragma once

#include <cstdint>

namespace weft::inline v0_1 {

/// A backend's free_memory() returns that of the calling thread. Ranks of the same `id` share one memory.
struct FreeMemory {
  std::uint64_t id = 0, bytes = 0;
};

}  // namespace weft::inline v0_1
