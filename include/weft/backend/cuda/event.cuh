// Events: points in a stream that other streams and the host wait for.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "weft/check.cuh"

namespace weft::inline v0_1::cuda {

using kernels::check;

/// A CUDA event. It may be destroyed while streams still wait for it; while a graph is recorded, by one
/// thread at a time.
class Event {
 public:
  enum class Kind { order, time };  // events that only order work, or have a time too

  /// Creates an event of the current device.
  explicit Event(Kind kind = Kind::order) {
    check(cudaEventCreateWithFlags(&event_, kind == Kind::time ? cudaEventDefault : cudaEventDisableTiming),
          "creating an event");
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  /// Records the event behind what is queued on a stream of its device.
  void record(cudaStream_t stream) const { check(cudaEventRecord(event_, stream), "recording an event"); }
  /// Makes a stream of any device wait for the event before what is queued on it next.
  void hold(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_), "ordering streams"); }

  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Returns a new event, recorded behind what is queued on the stream.
[[nodiscard]] inline std::shared_ptr<const Event> moment_in(cudaStream_t stream,
                                                            Event::Kind kind = Event::Kind::order) {
  const auto event = std::make_shared<const Event>(kind);
  event->record(stream);
  return event;
}

}  // namespace weft::inline v0_1::cuda
