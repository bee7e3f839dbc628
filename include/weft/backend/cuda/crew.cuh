// Crew: the queues of ranks that are threads of one process, whose work is recorded together.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "weft/backend/cuda/event.cuh"
#include "weft/backend/cuda/graph.cuh"
#include "weft/core/error.hpp"

namespace weft::cuda {

/// The ranks' streams meet in events, which in a graph become edges: so one graph holds a window of all
/// ranks, with its messages, and nothing on a device ever waits by spinning, as several ranks may share it.
class Crew {
 public:
  /// What a member brings to a meeting: a moment in its stream, and memory that others may reach.
  struct Arrival {
    std::shared_ptr<const Event> moment;
    std::vector<void*> memory;
  };

  /// A recording that fails calls stop_all, which must end every wait of the other ranks, `stop` included.
  Crew(int ranks, std::function<void()> stop_all) : ranks_(ranks), stop_all_(std::move(stop_all)) {}

  /// Waits on the host until the `size` members of a group have come, of which this is number `place`;
  /// returns what each brought.
  std::vector<Arrival> meet(const std::string& group, int size, int place, Arrival mine) {
    std::unique_lock lock(mutex_);
    const std::shared_ptr<Meeting> meeting = meeting_of(group, size);
    meeting->arrivals[static_cast<std::size_t>(place)] = std::move(mine);
    if (++meeting->count == size) {
      meetings_.erase(group);
      came_.notify_all();
    }
    came_.wait(lock, [this, &meeting, size] { return stopped_ || meeting->count == size; });
    if (meeting->count < size) throw_stopped();
    return meeting->arrivals;
  }

  /// Ends every meeting, now and later.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    came_.notify_all();
  }

  /// What all ranks' queue_work queues on their streams, as one graph. One rank queues at a time. If one
  /// fails, none goes on before the recording has been abandoned and its streams can be used, or destroyed,
  /// again.
  template <class Work>
  std::shared_ptr<const Graph> capture(int rank, cudaStream_t stream, const Work& queue_work) {
    const bool leads = rank == 0;
    meet("before recording", ranks_, rank, {});
    if (leads) begin(stream);
    std::vector<Arrival> begun, done;
    try {
      begun = meet("begun recording", ranks_, rank, {leads ? moment_in(stream) : nullptr, {}});
      Arrival mine;
      {
        const Turn turn(*this);
        throw_if_stopped();
        if (!leads) begun.front().moment->hold(stream);
        queue_work();
        mine.moment = moment_in(stream);
      }
      done = meet("queued", ranks_, rank, std::move(mine));
      if (leads)
        for (std::size_t other = 1; other < done.size(); ++other) done[other].moment->hold(stream);
    } catch (...) {
      stop_all_();
      leads ? abandon(stream) : wait_for_abandonment();
      throw;
    }
    if (leads) end(stream);
    meet("recorded", ranks_, rank, {});
    const Turn turn(*this);  // the driver does not like recorded events to be destroyed at once
    begun.clear(), done.clear();
    return graph_;
  }

  /// Launches a graph once, after what all ranks have queued and before what they queue next.
  void launch(int rank, cudaStream_t stream, const Graph& graph) {
    const bool leads = rank == 0;
    const auto before = meet("before launch", ranks_, rank, {leads ? nullptr : moment_in(stream), {}});
    std::shared_ptr<const Event> after;
    if (leads) {
      for (const Arrival& other : before)
        if (other.moment) other.moment->hold(stream);
      graph.launch(stream);
      after = moment_in(stream);
    }
    after = meet("launched", ranks_, rank, {after, {}}).front().moment;
    if (!leads) after->hold(stream);
  }

  /// Lets other ranks record while this one waits for them.
  template <class Wait>
  void stand_aside(const Wait& wait) {
    if (holder_ != std::this_thread::get_id()) return wait();
    pass_turn();
    try {
      wait();
    } catch (...) {
      take_turn();
      throw;
    }
    take_turn();
    throw_if_stopped();
  }

 private:
  struct Meeting {
    std::vector<Arrival> arrivals;
    int count = 0;
  };

  struct Turn {
    Crew& crew;
    explicit Turn(Crew& c) : crew(c) { crew.take_turn(); }
    ~Turn() { crew.pass_turn(); }
  };

  std::shared_ptr<Meeting> meeting_of(const std::string& group, int size) {
    std::shared_ptr<Meeting>& meeting = meetings_[group];
    if (!meeting)
      meeting = std::make_shared<Meeting>(Meeting{std::vector<Arrival>(static_cast<std::size_t>(size))});
    return meeting;
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
      const Turn turn(
          *this);  // no other rank is queueing, and none will before it has seen that all is stopped
      Graph::abandon(stream);
    }
    set_recording(false);
  }
  void wait_for_abandonment() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return !recording_; });
  }
  void set_recording(bool value) {
    const std::lock_guard lock(mutex_);
    recording_ = value;
    came_.notify_all();
  }

  [[noreturn]] static void throw_stopped() { throw Stopped("another rank has failed"); }
  void throw_if_stopped() {
    const std::lock_guard lock(mutex_);
    if (stopped_) throw_stopped();
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
  const std::function<void()> stop_all_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::map<std::string, std::shared_ptr<Meeting>> meetings_;
  bool stopped_ = false, recording_ = false;
  std::mutex turn_;
  std::atomic<std::thread::id> holder_{};
  std::shared_ptr<const Graph> graph_;  // the last that was recorded
};

}  // namespace weft::cuda
