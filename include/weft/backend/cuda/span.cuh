// Spans on a CUDA device: ranges of the profiler, and slices of the trace on the device's clock.
#pragma once

#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/cuda/event.cuh"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1::cuda {

/// The slices of one rank's streams. The destructor waits for the device and adds them to the lane, which
/// must outlive the timeline.
class Timeline {
 public:
  using Moment = std::shared_ptr<const Event>;

  Timeline(Lane& lane, cudaStream_t stream) : lane_(lane), stream_(stream), start_(now()) {
    check(cudaEventSynchronize(start_->get()), "starting a timeline");
    check(cudaMalloc(&saturated_, sizeof *saturated_), "starting a timeline");
    check(cudaMemset(saturated_, 0, sizeof *saturated_), "starting a timeline");
    start_on_host_ = Lane::Clock::now();
  }
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;
  ~Timeline() {
    cudaStreamSynchronize(stream_);
    for (auto& [slice, begin, end] : marked_) {
      cudaEventSynchronize(end->get());
      slice.begin = on_host(*begin);
      slice.end = on_host(*end);
      lane_.add(std::move(slice));
    }
    unsigned long long saturated = 0;
    cudaMemcpy(&saturated, saturated_, sizeof saturated, cudaMemcpyDeviceToHost);
    cudaFree(saturated_);
    lane_.add(Lane::Saturation{inputs_, static_cast<Index>(saturated)});
  }

  /// Returns a timed event behind what is queued on the stream.
  Moment now() const { return moment_in(stream_, Event::Kind::time); }

  /// Counts inputs of a linear layer in FP8; returns where the device adds how many of them are saturated.
  unsigned long long* count_inputs(Index inputs) {
    inputs_ += inputs;
    return saturated_;
  }

  void add(Lane::Slice slice, Moment begin) { add(std::move(slice), std::move(begin), now()); }
  void add(Lane::Slice slice, Moment begin, Moment end) {
    marked_.push_back({std::move(slice), std::move(begin), std::move(end)});
  }

 private:
  struct Marked {
    Lane::Slice slice;
    Moment begin, end;
  };

  Lane::Clock::time_point on_host(const Event& event) const {
    float milliseconds = 0;
    cudaEventElapsedTime(&milliseconds, start_->get(), event.get());
    return start_on_host_ + std::chrono::duration_cast<Lane::Clock::duration>(
                                std::chrono::duration<double, std::milli>(milliseconds));
  }

  Lane& lane_;
  cudaStream_t stream_;
  Moment start_;
  Lane::Clock::time_point start_on_host_;
  std::vector<Marked> marked_;
  unsigned long long* saturated_ = nullptr;  // on the device
  Index inputs_ = 0;
};

template <class T>
constexpr Index bytes_of = sizeof(T);

/// The work of an operator: its extents, floating-point operations, and bytes read and written.
struct Work {
  const char* name;
  std::vector<Index> extents;
  double flop;
  Index bytes;
};

/// Returns a name such as "norm 8192x1408".
inline std::string name_of(const Work& work) {
  std::string name = work.name;
  char separator = ' ';
  for (const Index extent : work.extents) name += std::exchange(separator, 'x') + std::to_string(extent);
  return name;
}

/// A range of the profiler and a slice of the trace, which last until the destructor.
class [[nodiscard]] Span {
 public:
  Span(Timeline* timeline, const char* category, const char* name, Index number, Index bytes)
      : timeline_(timeline), slice_{name, category, {}, {}, bytes} {
    if (number >= 0) slice_.name += ' ' + std::to_string(number);
    begin();
  }
  Span(Timeline* timeline, const Work& work)
      : timeline_(timeline), slice_{name_of(work), "operator", {}, {}, work.bytes, work.flop} {
    begin();
  }
  ~Span() {
    if (timeline_) timeline_->add(std::move(slice_), std::move(begin_));
    nvtxRangePop();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  void begin() {
    nvtxRangePushA(slice_.name.c_str());
    if (timeline_) begin_ = timeline_->now();
  }

  Timeline* timeline_;
  Lane::Slice slice_;
  Timeline::Moment begin_;
};

}  // namespace weft::inline v0_1::cuda
