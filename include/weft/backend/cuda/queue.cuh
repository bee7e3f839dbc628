// The CUDA queue: one stream, and what its operators keep between calls.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "weft/backend/counts.hpp"
#include "weft/backend/cuda/crew.cuh"
#include "weft/backend/cuda/graph.cuh"
#include "weft/backend/cuda/heap.cuh"
#include "weft/backend/cuda/pool.cuh"
#include "weft/backend/cuda/products.cuh"
#include "weft/backend/cuda/span.cuh"
#include "weft/backend/cuda/staging.cuh"
#include "weft/check.cuh"
#include "weft/core/step.hpp"
#include "weft/elementwise.cuh"
#include "weft/tier.cuh"

namespace weft::cuda {

class Queue {
 public:
  class Milestones;
  template <class Body>
  class Recording;

  /// On the current device; rejected if there is none, or no code for it. `lane`, if any, records the spans.
  /// What a crew's queues record becomes one graph; this is the queue of its rank `rank`.
  /// What ranks of other processes are to reach comes from `heap`.
  explicit Queue(Lane* lane = nullptr, Crew* crew = nullptr, int rank = 0, Heap* heap = nullptr)
      : stream_(stream_here()), crew_(crew), rank_(rank), heap_(heap) {
    check(cudaMalloc(&step_, sizeof *step_), "Taking memory on the device");
    if (lane) timeline_.emplace(*lane, stream_);
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    timeline_.reset();
    cudaStreamSynchronize(stream_);
    cudaFree(step_);
    cudaStreamDestroy(stream_);
  }

  cudaStream_t stream() const { return stream_; }
  void synchronize() {
    ++counts_.synchronizations;
    check(cudaStreamSynchronize(stream_), "Running the queue");
  }

  /// Where slices of other streams go too; null without a trace.
  Timeline* timeline() { return timeline_ && !is_dry_run_ ? &*timeline_ : nullptr; }
  /// Whether what is queued is recorded to be dropped, so that it never happens.
  bool is_dry_run() const { return is_dry_run_; }

  /// Waits on the host for other ranks, which may have to record meanwhile.
  template <class Wait>
  void wait_on_host(const Wait& wait) {
    crew_ ? crew_->stand_aside(wait) : wait();
  }

  /// A range of the profiler and, on the device's clock, a slice of the trace.
  Span span(const char* category, const char* name, Index number = -1, Index bytes = 0) {
    return {timeline(), category, name, number, bytes};
  }

  /// The same for an operator.
  Span span(const Work& work) { return {timeline(), work}; }

  /// The denoising step `number`, for operators.
  Step step(Index number) const {
    return recorded_ ? Step{step_, number - *recorded_} : Step{.ahead = number};
  }

  /// What body(first) queues, to be replayed as that of any other step. With a trace, which shows the parts,
  /// the body is called again.
  template <class Body>
  Recording<Body> record(Body body, Index first) {
    return {*this, std::move(body), first};
  }
  template <class Body>
  void replay(const Recording<Body>& recording, Index step) {
    recording.replay(*this, step);
  }

  /// Memory that holds anything, to be given back when what is queued on it is all that ever will be; null
  /// while a heap measures.
  Memory take(std::size_t bytes) {
    if (heap_ && heap_->is_open()) return heap_->take(bytes);
    if (!pool_->has(bytes)) count_allocation();
    return pool_->take(bytes);
  }
  /// Calls body, whose buffers other ranks may reach afterwards. With a heap it is called twice, and all
  /// ranks of a host call this at the same time.
  template <class Body>
  void take_together(const Body& body) {
    heap_ ? heap_->take_together(body) : body();
  }
  /// Gives back to the device what buffers have left, when all that was queued is done.
  void trim() {
    synchronize();
    pool_->trim();
  }

  /// `bytes` of the host to the device.
  void send(const void* from, void* to, std::size_t bytes) {
    ++counts_.uploads;
    staging_.send(stream_, from, to, bytes);
  }

  /// How long the last replays took the host each, at most 64.
  std::span<const double> launch_seconds() const {
    return {launch_seconds_.data(), std::min(launches_, launch_seconds_.size())};
  }

  const QueueCounts& counts() const { return counts_; }
  void count_allocation() { ++counts_.allocations; }

  Products& products() { return products_; }

 private:
  static cudaStream_t stream_here() {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
      reject("there is no CUDA device here; weft::Host needs none");
    kernels::current_tier();
    cudaStream_t stream;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "Creating a stream");
    return stream;
  }

  cudaStream_t stream_;
  Crew* crew_;
  int rank_;
  Heap* heap_;
  std::int32_t* step_ = nullptr;   // of a replay; raised by one at its end
  Index next_step_ = -1;           // what *step_ will be when all that is queued is done; −1: unknown
  std::optional<Index> recorded_;  // the first step of the body that is being recorded
  bool is_dry_run_ = false;
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
  Staging staging_;
  Products products_;
  std::optional<Timeline> timeline_;
  QueueCounts counts_;
  std::array<double, 64> launch_seconds_{};
  std::size_t launches_ = 0;
};

/// One graph, for all ranks of a crew together; one launch a replay. With a trace it is dropped, and was a
/// dry run: all that a body does when it is first queued, as loading kernels, timing products and taking
/// memory, may wait for the whole device, and there a receive that was posted ahead may wait for this very
/// rank.
template <class Body>
class Queue::Recording {
 public:
  Recording(Queue& queue, Body body, Index first) : body_(std::move(body)) {
    ++queue.counts_.recordings;
    queue.synchronize();  // so that products can be timed
    queue.recorded_ = first, queue.is_dry_run_ = queue.timeline_.has_value();
    const auto queue_work = [this, &queue, first] {
      body_(first);
      kernels::for_each_number(queue.stream_, 1, 1, kernels::AddToStep{queue.step_});
    };
    try {
      graph_ = queue.crew_ ? queue.crew_->capture(queue.rank_, queue.stream_, queue_work)
                           : std::make_shared<const Graph>(Graph::capture(queue.stream_, queue_work));
    } catch (...) {
      queue.recorded_.reset(), queue.is_dry_run_ = false;
      throw;
    }
    queue.recorded_.reset(), queue.is_dry_run_ = false;
    if (queue.timeline_) graph_.reset();
  }

  void replay(Queue& queue, Index step) const {
    if (queue.timeline_) return body_(step);
    if (queue.next_step_ != step)
      kernels::for_each_number(queue.stream_, 1, 1,
                               kernels::Fill<std::int32_t>{static_cast<std::int32_t>(step), queue.step_});
    const auto begin = std::chrono::steady_clock::now();
    queue.crew_ ? queue.crew_->launch(queue.rank_, queue.stream_, *graph_) : graph_->launch(queue.stream_);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    queue.launch_seconds_[queue.launches_++ % queue.launch_seconds_.size()] = taken.count();
    queue.next_step_ = step + 1;
  }

 private:
  Body body_;
  std::shared_ptr<const Graph> graph_;
};

/// A queue whose attention is compiled for these head dimensions.
template <int... HeadDims>
class QueueFor : public Queue {
 public:
  using Queue::Queue;
};

}  // namespace weft::cuda
