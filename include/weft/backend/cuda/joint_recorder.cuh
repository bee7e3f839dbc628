// JointRecorder: one CUDA graph of what ranks that are threads of one process queue on their streams.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "weft/backend/cuda/event.cuh"
#include "weft/backend/cuda/graph.cuh"
#include "weft/backend/cuda/host_all_gather.cuh"

namespace weft::inline v0_1::cuda {

/// Ranks wait for each other by events, which become edges of the graph: so one graph holds a window of all
/// ranks with their messages, and no kernel spins, as several ranks may share a device.
class JointRecorder {
 public:
  /// A recording that fails calls stop_all, which must end every wait of the other ranks, those in
  /// `all_gather` included. `all_gather` must outlive the recorder.
  JointRecorder(int ranks, HostAllGather& all_gather, std::function<void()> stop_all)
      : ranks_(ranks), all_gather_(all_gather), stop_all_(std::move(stop_all)) {}

  /// Returns one graph of what the queue_work() of every rank queues on its `stream`; all ranks call it
  /// together, and queue one at a time. If one fails, the others return only after the recording has been
  /// abandoned, when streams can be used, or destroyed, again.
  template <class Work>
  [[nodiscard]] std::shared_ptr<const Graph> capture(int rank, cudaStream_t stream, const Work& queue_work) {
    const bool leads = rank == 0;
    gather("before recording", rank, {});
    if (leads) begin(stream);
    std::vector<HostAllGather::Contribution> begun, queued;
    try {
      begun = gather("begun recording", rank, moment_if(leads, stream));
      std::shared_ptr<const Event> mine;
      {
        const Turn turn(*this);
        all_gather_.throw_if_stopped();
        if (!leads) begun.front().event->hold(stream);
        queue_work();
        mine = moment_in(stream);
      }
      queued = gather("queued", rank, std::move(mine));
      if (leads)
        for (std::size_t other = 1; other < queued.size(); ++other) queued[other].event->hold(stream);
    } catch (...) {
      stop_all_();
      if (leads) {
        abandon(stream);
      } else {
        wait_for_abandonment();
      }
      throw;
    }
    if (leads) end(stream);
    gather("recorded", rank, {});
    const Turn turn(*this);  // the driver takes no destruction of recorded events by several threads at once
    begun.clear();
    queued.clear();
    return graph_;
  }

  /// Launches a graph once, after what all ranks have queued and before what they queue next; all ranks call
  /// it together.
  void launch(int rank, cudaStream_t stream, const Graph& graph) {
    const bool leads = rank == 0;
    const auto before = gather("before launch", rank, moment_if(!leads, stream));
    std::shared_ptr<const Event> after;
    if (leads) {
      for (const HostAllGather::Contribution& other : before)
        if (other.event) other.event->hold(stream);
      graph.launch(stream);
      after = moment_in(stream);
    }
    after = gather("launched", rank, after).front().event;
    if (!leads) after->hold(stream);
  }

  /// Calls wait(), which blocks the host until other ranks have queued something, while those may record.
  template <class Wait>
  void yield_turn_during(const Wait& wait) {
    if (holder_ != std::this_thread::get_id()) return wait();
    pass_turn();
    try {
      wait();
    } catch (...) {
      take_turn();
      throw;
    }
    take_turn();
    all_gather_.throw_if_stopped();
  }

 private:
  /// The right to queue work that is recorded, which one rank has at a time.
  struct Turn {
    JointRecorder& recorder;
    explicit Turn(JointRecorder& r) : recorder(r) { recorder.take_turn(); }
    ~Turn() { recorder.pass_turn(); }
  };

  std::vector<HostAllGather::Contribution> gather(const char* stage, int rank,
                                                  std::shared_ptr<const Event> event) {
    return all_gather_.gather(stage, ranks_, rank, {std::move(event), {}});
  }

  static std::shared_ptr<const Event> moment_if(bool is_wanted, cudaStream_t stream) {
    if (!is_wanted) return nullptr;
    return moment_in(stream);
  }

  void begin(cudaStream_t stream) {
    Graph::begin(stream);
    set_recording(true);
  }
  void end(cudaStream_t stream) {
    set_recording(false);
    graph_ = std::make_shared<const Graph>(Graph::end(stream));
  }
  void abandon(cudaStream_t stream) {
    {
      // No other rank queues meanwhile, nor later: those that take their turn see that all is stopped.
      const Turn turn(*this);
      Graph::abandon(stream);
    }
    set_recording(false);
  }
  void wait_for_abandonment() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !is_recording_; });
  }
  void set_recording(bool value) {
    const std::lock_guard lock(mutex_);
    is_recording_ = value;
    changed_.notify_all();
  }

  void take_turn() {
    turn_.lock();
    holder_ = std::this_thread::get_id();
  }
  void pass_turn() {
    holder_ = std::thread::id();
    turn_.unlock();
  }

  const int ranks_;
  HostAllGather& all_gather_;
  const std::function<void()> stop_all_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_recording_ = false;
  std::mutex turn_;
  std::atomic<std::thread::id> holder_{};
  std::shared_ptr<const Graph> graph_;  // the last that was recorded
};

}  // namespace weft::inline v0_1::cuda
