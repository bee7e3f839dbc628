// Queue: a CUDA stream, and the state that operators keep between calls.
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
#include <vector>

#include "weft/backend/counts.hpp"
#include "weft/backend/cuda/graph.cuh"
#include "weft/backend/cuda/heap.cuh"
#include "weft/backend/cuda/joint_recorder.cuh"
#include "weft/backend/cuda/pool.cuh"
#include "weft/backend/cuda/products.cuh"
#include "weft/backend/cuda/span.cuh"
#include "weft/backend/cuda/staging.cuh"
#include "weft/check.cuh"
#include "weft/core/step.hpp"
#include "weft/elementwise.cuh"
#include "weft/tier.cuh"

namespace weft::inline v0_1::cuda {

/// The queue of one rank, used by one thread at a time. Its destructor waits for all that was queued. Memory
/// that was taken from it may outlive it; recordings may not be replayed after it.
class Queue {
 public:
  class Milestones;
  template <class Body>
  class Recording;

  /// Makes a queue on the current device. Throws InvalidArgument if there is none, or no code for it. Where
  /// given, `lane` takes the trace's slices, `recorder` makes one graph of what the queues of all ranks
  /// record, of which this is rank `rank`'s, and `heap` provides the memory that other processes reach; all
  /// three must outlive the queue.
  explicit Queue(Lane* lane = nullptr, JointRecorder* recorder = nullptr, int rank = 0, Heap* heap = nullptr)
      : stream_(stream_here()), recorder_(recorder), rank_(rank), heap_(heap) {
    check(cudaMalloc(&step_, sizeof *step_), "taking memory on the device");
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
    check(cudaStreamSynchronize(stream_), "running the queue");
  }

  /// Returns the timeline that takes slices, also those of other streams; null without a trace.
  Timeline* timeline() { return timeline_ && !is_dry_run_ ? &*timeline_ : nullptr; }
  /// Returns whether what is queued is recorded only to be dropped, so that it never runs.
  bool is_dry_run() const { return is_dry_run_; }
  /// Returns whether what is queued is a recording's, and so will run many times.
  bool repeats() const { return repeats_; }

  /// Calls wait(), which blocks the host until other ranks have queued something, while those may record.
  template <class Wait>
  void wait_on_host(const Wait& wait) {
    if (recorder_) {
      recorder_->yield_turn_during(wait);
    } else {
      wait();
    }
  }

  /// Opens a range of the profiler and, on the device's clock, a slice of the trace.
  Span span(const char* category, const char* name, Index number = -1, Index bytes = 0) {
    return {timeline(), category, name, number, bytes};
  }

  /// Opens the same for an operator.
  Span span(const Work& work) { return {timeline(), work}; }

  /// Returns the denoising step `number` as operators read it; in a recording, relative to the replayed step.
  Step step(Index number) const {
    return recorded_ ? Step{step_, number - *recorded_} : Step{.ahead = number};
  }

  /// Records what body(first) queues, to be replayed for any other step. With a trace, which shows the parts,
  /// replaying calls the body again.
  template <class Body>
  [[nodiscard]] Recording<Body> record(Body body, Index first) {
    return {*this, std::move(body), first};
  }
  template <class Body>
  void replay(const Recording<Body>& recording, Index step) {
    recording.replay(*this, step);
  }

  /// Returns memory of undefined content, for work on this queue; null while a heap measures. Its last owner
  /// may drop it when all work on it is queued.
  [[nodiscard]] Memory take(std::size_t bytes) {
    if (heap_ && heap_->is_open()) return heap_->take(bytes);
    const std::size_t before = pool_->allocations();
    Memory memory = pool_->take(bytes);
    if (pool_->allocations() > before) count_allocation();
    return memory;
  }
  /// Returns memory for an operator between its kernels, at least `bytes` of it. It stays with the queue,
  /// since recordings work on it.
  [[nodiscard]] void* room(std::size_t bytes) {
    if (bytes > room_bytes_ || rooms_.empty()) {
      rooms_.push_back(take(bytes));
      room_bytes_ = bytes;
    }
    return rooms_.back().get();
  }
  /// Calls body, whose buffers other ranks may reach afterwards, and which are kept: with a heap they are
  /// its, and without one none is what an earlier buffer has left, which the next request's may need again.
  /// With a heap it calls body twice, and all ranks of a host must call it together.
  template <class Body>
  void take_together(const Body& body) {
    if (heap_) {
      heap_->take_together(body);
    } else {
      pool_->keep_during(body);
    }
  }
  /// Waits for all that was queued; frees the memory that no buffer uses.
  void trim() {
    synchronize();
    pool_->trim();
  }

  /// Queues a copy of `bytes` from the host; `from` may change as soon as this returns.
  void send(const void* from, void* to, std::size_t bytes) {
    ++counts_.uploads;
    staging_.send(stream_, from, to, bytes);
  }

  /// Waits for all that was queued, and copies `bytes` to the host.
  void fetch(const void* from, void* to, std::size_t bytes) {
    ++counts_.synchronizations;
    staging_.fetch(stream_, from, to, bytes);
  }

  /// Returns how long the host took for each of the last replays, at most 64.
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
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
    return stream;
  }

  cudaStream_t stream_;
  JointRecorder* recorder_;
  int rank_;
  Heap* heap_;
  std::int32_t* step_ = nullptr;   // of a replay; raised by one at its end
  Index next_step_ = -1;           // what *step_ will be when all that is queued is done; −1: unknown
  std::optional<Index> recorded_;  // the first step of the body that is being recorded
  bool is_dry_run_ = false, repeats_ = false;
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
  std::vector<Memory> rooms_;  // from the smallest to the largest
  std::size_t room_bytes_ = 0;
  Staging staging_;
  Products products_;
  std::optional<Timeline> timeline_;
  QueueCounts counts_;
  std::array<double, 64> launch_seconds_{};
  std::size_t launches_ = 0;
};

/// One graph, of all ranks where they record together, and one launch a replay; valid as long as its queue
/// and the memory that it works on. With a trace the graph is dropped, and making it was a dry run: what a
/// body does when it is first queued, as loading kernels, timing products and taking memory, may wait for the
/// whole device, and there a receive that was posted ahead may wait for this very rank.
template <class Body>
class Queue::Recording {
 public:
  Recording(Queue& queue, Body body, Index first) : body_(std::move(body)) {
    ++queue.counts_.recordings;
    queue.synchronize();  // so that products can be timed
    const Repeating repeating(queue);
    queue.recorded_ = first;
    queue.is_dry_run_ = queue.timeline_.has_value();
    const auto queue_work = [this, &queue, first] {
      body_(first);
      kernels::for_each_number(queue.stream_, 1, 1, kernels::AddToStep{queue.step_});
    };
    graph_ = capture(queue, queue_work);
    if (queue.timeline_) graph_.reset();
  }

  void replay(Queue& queue, Index step) const {
    if (queue.timeline_) {
      const Repeating repeating(queue);
      return body_(step);
    }
    if (queue.next_step_ != step)
      kernels::for_each_number(queue.stream_, 1, 1,
                               kernels::Fill<std::int32_t>{static_cast<std::int32_t>(step), queue.step_});
    const auto begin = std::chrono::steady_clock::now();
    if (queue.recorder_) {
      queue.recorder_->launch(queue.rank_, queue.stream_, *graph_);
    } else {
      graph_->launch(queue.stream_);
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    queue.launch_seconds_[queue.launches_++ % queue.launch_seconds_.size()] = taken.count();
    queue.next_step_ = step + 1;
  }

 private:
  /// Marks what is queued in its lifetime as a recording's.
  class Repeating {
   public:
    explicit Repeating(Queue& queue) : queue_(queue) { queue_.repeats_ = true; }
    Repeating(const Repeating&) = delete;
    Repeating& operator=(const Repeating&) = delete;
    ~Repeating() {
      queue_.recorded_.reset();
      queue_.repeats_ = queue_.is_dry_run_ = false;
    }

   private:
    Queue& queue_;
  };

  template <class Work>
  static std::shared_ptr<const Graph> capture(Queue& queue, const Work& queue_work) {
    if (queue.recorder_) return queue.recorder_->capture(queue.rank_, queue.stream_, queue_work);
    return std::make_shared<const Graph>(Graph::capture(queue.stream_, queue_work));
  }

  Body body_;
  std::shared_ptr<const Graph> graph_;
};

/// A queue whose attention is compiled for these head dimensions.
template <int... HeadDims>
class QueueFor : public Queue {
 public:
  using Queue::Queue;
};

}  // namespace weft::inline v0_1::cuda
