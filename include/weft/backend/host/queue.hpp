// The host's queue: operators run in the calling thread and are done when they return.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "weft/backend/host/workers.hpp"
#include "weft/backend/immediate_queue.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1::host {

/// A rank's queue: one thread uses it at a time. The lane must outlive it.
class Queue : public ImmediateQueue {
 public:
  class Milestones;

  /// Makes a queue whose operators run on `workers` threads and whose spans go to `lane`, if any.
  explicit Queue(int workers = 1, Lane* lane = nullptr) : workers_(workers), lane_(lane) {}

  Workers& workers() { return workers_; }

  /// Opens a span of the rank's lane; it ends when the returned object does.
  Span span(const char* category, const char* name, Index number = -1, Index bytes = 0) {
    return {lane_, category, name, number, bytes};
  }

 private:
  Workers workers_;
  Lane* lane_;
};

/// Points of the queue's work, such as ends of steps. Each calls report(1), report(2), … when all that was
/// queued before is done.
class Queue::Milestones {
 public:
  /// Makes milestones that call `report`, if any; the host needs not know how many there will be.
  Milestones(Index, std::function<void(Index)> report) : report_(std::move(report)) {}

  /// Queues the next milestone.
  void pass(Queue&) {
    passed_.push_back(Lane::Clock::now());
    if (report_) report_(static_cast<Index>(passed_.size()));
  }

  /// Waits until all have been reported, and returns the seconds from each to the next.
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

}  // namespace weft::inline v0_1::host
