// The host's queue: operators run in the calling thread and are done when they return.
#pragma once

#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "weft/backend/counts.hpp"
#include "weft/backend/host/workers.hpp"
#include "weft/core/step.hpp"
#include "weft/core/trace.hpp"

namespace weft::host {

class Queue {
 public:
  class Milestones;

  /// `workers` threads share an operator; `lane`, if any, records the spans.
  explicit Queue(int workers = 1, Lane* lane = nullptr) : workers_(workers), lane_(lane) {}

  Workers& workers() { return workers_; }

  /// A slice of the trace, from here to the end of the span's life.
  Span span(const char* category, const char* name, Index number = -1, Index bytes = 0) {
    return {lane_, category, name, number, bytes};
  }

  /// The denoising step `number`, for operators.
  Step step(Index number) const { return {.ahead = number}; }

  /// What body(first) queues, to be replayed as that of any other step; here it is called again.
  template <class Body>
  Body record(Body body, Index) {
    ++counts_.recordings;
    return body;
  }
  template <class Body>
  void replay(const Body& body, Index step) {
    body(step);
  }

  /// Calls body, whose buffers other ranks may reach afterwards.
  template <class Body>
  void take_together(const Body& body) {
    body();
  }
  /// Buffers leave no memory behind.
  void trim() {}

  const QueueCounts& counts() const { return counts_; }
  void count_allocation() { ++counts_.allocations; }

 private:
  Workers workers_;
  Lane* lane_;
  QueueCounts counts_;
};

/// Reports how often it was passed: report(1), report(2), …, when all that was queued before is done.
class Queue::Milestones {
 public:
  Milestones(Index, std::function<void(Index)> report) : report_(std::move(report)) {}

  void pass(Queue&) {
    passed_.push_back(Lane::Clock::now());
    if (report_) report_(static_cast<Index>(passed_.size()));
  }

  /// Returns when all has been reported: the seconds from each passing to the next.
  std::vector<double> watch() {
    std::vector<double> seconds;
    for (std::size_t i = 1; i < passed_.size(); ++i)
      seconds.push_back(std::chrono::duration<double>(passed_[i] - passed_[i - 1]).count());
    return seconds;
  }

 private:
  std::function<void(Index)> report_;
  std::vector<Lane::Clock::time_point> passed_;
};

}  // namespace weft::host
