// Milestones on a CUDA device: the host learns of them when it has nothing more to queue.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "weft/backend/cuda/queue.cuh"

namespace weft::cuda {

/// Tells how often it was passed: told(1), told(2), …, when all that was queued before is done.
class Queue::Milestones {
 public:
  /// As many as `most` can be passed.
  Milestones(Index most, std::function<void(Index)> told) : told_(std::move(told)) {
    if (told_) events_.resize(static_cast<std::size_t>(most));
    for (cudaEvent_t& event : events_) check(cudaEventCreate(&event), "Preparing milestones");
  }
  Milestones(const Milestones&) = delete;
  Milestones& operator=(const Milestones&) = delete;
  ~Milestones() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }

  void pass(Queue& queue) {
    if (told_) check(cudaEventRecord(events_[passed_++], queue.stream()), "Passing a milestone");
  }
  /// Returns when all has been told.
  void watch() {
    for (std::size_t i = 0; i < passed_; ++i) {
      check(cudaEventSynchronize(events_[i]), "Waiting for a milestone");
      told_(static_cast<Index>(i) + 1);
    }
  }

 private:
  std::function<void(Index)> told_;
  std::vector<cudaEvent_t> events_;
  std::size_t passed_ = 0;
};

}  // namespace weft::cuda
