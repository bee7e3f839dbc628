// The Host backend: float32 on the processor, a pool of threads a rank.
#pragma once

#include "weft/backend/host/attention.hpp"
#include "weft/backend/host/buffer.hpp"
#include "weft/backend/host/copy.hpp"
#include "weft/backend/host/elementwise.hpp"
#include "weft/backend/host/free_memory.hpp"
#include "weft/backend/host/image.hpp"
#include "weft/backend/host/linear.hpp"
#include "weft/backend/host/loader.hpp"
#include "weft/backend/host/norm.hpp"
#include "weft/backend/host/queue.hpp"
#include "weft/backend/host/sampler.hpp"
#include "weft/backend/host/text.hpp"
#include "weft/core/dit_shape.hpp"

namespace weft::inline v0_1 {

/// The Host backend. Operators are done when they return, so that nothing need outlive the call.
struct Host {
  using Element = float;
  using Operand = float;
  using Queue = host::Queue;
  template <class T>
  using Buffer = host::Buffer<T>;
  using Loader = host::Loader;

  /// Makes a rank's queue in its world.
  static Queue queue(const auto& world) { return Queue(world.workers(), world.lane()); }

  /// Accepts every model.
  static void check(const DitShape&) {}

  static FreeMemory free_memory() { return host::free_memory(); }
};

}  // namespace weft::inline v0_1
