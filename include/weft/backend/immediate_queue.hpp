// ImmediateQueue: what queues share whose operators are done when they return.
#pragma once

#include "weft/backend/counts.hpp"
#include "weft/core/step.hpp"

namespace weft::inline v0_1 {

/// Nothing is kept for later, so what is recorded is the body itself.
class ImmediateQueue {
 public:
  /// Returns denoising step `number`, as operators read it.
  Step step(Index number) const { return {.ahead = number}; }

  /// Returns what body(first) queues, to be replayed for any other step.
  template <class Body>
  [[nodiscard]] Body record(Body body, Index) {
    ++counts_.recordings;
    return body;
  }
  /// Runs what was recorded, for denoising step `step`.
  template <class Body>
  void replay(const Body& body, Index step) {
    body(step);
  }

  /// Returns whether what is queued never runs.
  static constexpr bool is_dry_run() { return false; }

  /// Calls body, which allocates buffers that other ranks may reach afterwards.
  template <class Body>
  void take_together(const Body& body) {
    body();
  }
  /// Does nothing: no memory of freed buffers is kept.
  void trim() {}

  const QueueCounts& counts() const { return counts_; }
  void count_allocation() { ++counts_.allocations; }

 private:
  QueueCounts counts_;
};

}  // namespace weft::inline v0_1
