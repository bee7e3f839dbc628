// The host's queue: operators run in the calling thread and are done when they return.
#pragma once

#include "weft/backend/host/workers.hpp"
#include "weft/core/trace.hpp"

namespace weft::host {

class Queue {
 public:
  /// `workers` threads share an operator; `lane`, if any, records the spans.
  explicit Queue(int workers = 1, Lane* lane = nullptr) : workers_(workers), lane_(lane) {}

  Workers& workers() { return workers_; }

  /// A slice of the trace, from here to the end of the span's life.
  Span span(const char* category, const char* name, Index number = -1, Index bytes = 0) {
    return {lane_, category, name, number, bytes};
  }

  /// How many buffers have been taken so far: a loop that takes none leaves it as it is.
  Index allocations() const { return allocations_; }
  void count_allocation() { ++allocations_; }

 private:
  Workers workers_;
  Lane* lane_;
  Index allocations_ = 0;
};

}  // namespace weft::host
