// Event: what a queue waits for.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <utility>
#include <vector>

#include "weft/check.cuh"

namespace weft::nccl {

using kernels::check;

/// Events of CUDA to be used again, so that none is made in the loop.
class EventPool {
 public:
  EventPool() = default;
  EventPool(const EventPool&) = delete;
  EventPool& operator=(const EventPool&) = delete;
  ~EventPool() {
    for (cudaEvent_t event : free_) cudaEventDestroy(event);
  }

  cudaEvent_t take() {
    if (free_.empty()) {
      cudaEvent_t event = nullptr;
      check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "Preparing a transfer");
      return event;
    }
    const cudaEvent_t event = free_.back();
    free_.pop_back();
    return event;
  }
  void give_back(cudaEvent_t event) { free_.push_back(event); }

 private:
  std::vector<cudaEvent_t> free_;
};

/// What a queue waits for. Dropped before that, the transfer goes on: NCCL takes nothing back.
class Event {
 public:
  Event() = default;
  Event(Event&& other) noexcept
      : pool_(std::move(other.pool_)), event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(event_, other.event_);
    return *this;
  }
  ~Event() { drop(); }

  /// Behind what is on the stream.
  Event(std::shared_ptr<EventPool> pool, cudaStream_t stream)
      : pool_(std::move(pool)), event_(pool_->take()) {
    check(cudaEventRecord(event_, stream), "Ordering a transfer");
  }

  bool is_pending() const { return event_ != nullptr; }

  /// What is queued on the stream from now on comes after it.
  void hold_up(cudaStream_t stream) {
    check(cudaStreamWaitEvent(stream, event_), "Ordering a transfer");
    drop();
  }

 private:
  void drop() {
    if (event_) pool_->give_back(std::exchange(event_, nullptr));
  }

  std::shared_ptr<EventPool> pool_;
  cudaEvent_t event_ = nullptr;
};

}  // namespace weft::nccl
