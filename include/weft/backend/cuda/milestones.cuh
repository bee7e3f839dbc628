// Milestones on a CUDA device, which the host reports between what it queues.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "weft/backend/cuda/queue.cuh"

namespace weft::inline v0_1::cuda {

/// Calls report(1), report(2), … some time after the device has passed the first, the second, … milestone.
class Queue::Milestones {
 public:
  /// At most `most` milestones can be passed.
  Milestones(Index most, std::function<void(Index)> report)
      : report_(std::move(report)), events_(static_cast<std::size_t>(most)) {
    for (cudaEvent_t& event : events_) check(cudaEventCreate(&event), "preparing milestones");
  }
  Milestones(const Milestones&) = delete;
  Milestones& operator=(const Milestones&) = delete;
  ~Milestones() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }

  /// Queues the next milestone, and reports those that the device has passed.
  void pass(Queue& queue) {
    check(cudaEventRecord(events_[passed_++], queue.stream()), "passing a milestone");
    while (reported_ + 1 < passed_ && cudaEventQuery(events_[reported_]) == cudaSuccess) report_next();
  }

  /// Waits until all are reported; returns the seconds from each to the next, on the device's clock.
  std::vector<double> watch() {
    while (reported_ < passed_) {
      check(cudaEventSynchronize(events_[reported_]), "waiting for a milestone");
      report_next();
    }
    std::vector<double> seconds;
    for (std::size_t i = 1; i < passed_; ++i) {
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, events_[i - 1], events_[i]), "timing milestones");
      seconds.push_back(1e-3 * milliseconds);
    }
    return seconds;
  }

 private:
  void report_next() {
    ++reported_;
    if (report_) report_(static_cast<Index>(reported_));
  }

  std::function<void(Index)> report_;
  std::vector<cudaEvent_t> events_;
  std::size_t passed_ = 0, reported_ = 0;
};

}  // namespace weft::inline v0_1::cuda
