// A moment in a stream.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "weft/check.cuh"

namespace weft::cuda {

using kernels::check;

class Event {
 public:
  enum class Kind { order, time };  // whether events only order work, or have a time too

  /// On the current device.
  explicit Event(Kind kind = Kind::order) {
    check(cudaEventCreateWithFlags(&event_, kind == Kind::time ? cudaEventDefault : cudaEventDisableTiming),
          "Creating an event");
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  void record(cudaStream_t stream) const { check(cudaEventRecord(event_, stream), "Marking a moment"); }
  /// What is queued on the stream after this comes after the moment.
  void hold(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_), "Ordering streams"); }

  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Behind what is queued on the stream.
inline std::shared_ptr<const Event> moment_in(cudaStream_t stream, Event::Kind kind = Event::Kind::order) {
  const auto event = std::make_shared<const Event>(kind);
  event->record(stream);
  return event;
}

}  // namespace weft::cuda
