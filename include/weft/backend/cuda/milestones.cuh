// Milestones on a CUDA device: the host learns of them between what it queues.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "weft/backend/cuda/queue.cuh"

namespace weft::cuda {

/// Tells how often it was passed: told(1), told(2), …, some time after all that was queued before is done.
class Queue::Milestones {
 public:
  /// As many as `most` can be passed.
  Milestones(Index most, std::function<void(Index)> told)
      : told_(std::move(told)), events_(static_cast<std::size_t>(most)) {
    for (cudaEvent_t& event : events_) check(cudaEventCreate(&event), "Preparing milestones");
  }
  Milestones(const Milestones&) = delete;
  Milestones& operator=(const Milestones&) = delete;
  ~Milestones() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }

  void pass(Queue& queue) {
    check(cudaEventRecord(events_[passed_++], queue.stream()), "Passing a milestone");
    while (told_count_ + 1 < passed_ && cudaEventQuery(events_[told_count_]) == cudaSuccess) tell_next();
  }

  /// Returns when all has been told: the seconds from each passing to the next, on the device's clock.
  std::vector<double> watch() {
    while (told_count_ < passed_) {
      check(cudaEventSynchronize(events_[told_count_]), "Waiting for a milestone");
      tell_next();
    }
    std::vector<double> seconds;
    for (std::size_t i = 1; i < passed_; ++i) {
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, events_[i - 1], events_[i]), "Timing milestones");
      seconds.push_back(1e-3 * milliseconds);
    }
    return seconds;
  }

 private:
  void tell_next() {
    ++told_count_;
    if (told_) told_(static_cast<Index>(told_count_));
  }

  std::function<void(Index)> told_;
  std::vector<cudaEvent_t> events_;
  std::size_t passed_ = 0, told_count_ = 0;
};

}  // namespace weft::cuda
