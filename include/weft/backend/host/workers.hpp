// Workers: the threads that share one rank's operators on the host.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/core/thread.hpp"

namespace weft::inline v0_1::host {

/// A pool of threads. One thread at a time may call `parallel_for`, and not from inside a body.
class Workers {
 public:
  /// Starts `count` − 1 threads: the thread that calls `parallel_for` is a worker too.
  explicit Workers(int count) {
    for (int worker = 1; worker < count; ++worker)
      helpers_.push_back(start_thread(sentence("thread ", worker, " of the ", count, " of a rank"),
                                      [this, worker](const std::stop_token& stop) { serve(stop, worker); }));
  }

  int count() const { return static_cast<int>(helpers_.size()) + 1; }

  /// Calls body(range) with a part of [0, n) on every worker that gets at least `grain`; returns when all
  /// are done. The parts depend on n, grain and count() alone. The body must not throw.
  template <class Body>
  void parallel_for(Index n, Index grain, Body&& body) {
    const Index parts = std::min<Index>(count(), n / std::max<Index>(grain, 1));
    if (parts <= 1) return body(Range{0, n});
    run([&body, n, parts](int worker) {
      if (worker < parts) body(weft::split(n, parts, worker));
    });
  }

 private:
  template <class Body>
  void run(Body body) {
    {
      std::lock_guard lock(mutex_);
      call_ = [](void* context, int worker) { (*static_cast<Body*>(context))(worker); };
      context_ = &body;
      running_ = helpers_.size();
      ++round_;
    }
    begin_.notify_all();
    body(0);
    std::unique_lock lock(mutex_);
    end_.wait(lock, [this] { return running_ == 0; });
  }

  void serve(std::stop_token stop, int worker) {
    std::unique_lock lock(mutex_);
    for (unsigned done = 0; begin_.wait(lock, stop, [this, done] { return round_ != done; }); done = round_) {
      lock.unlock();
      call_(context_, worker);
      lock.lock();
      if (--running_ == 0) end_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any begin_;
  std::condition_variable end_;
  void (*call_)(void*, int) = nullptr;
  void* context_ = nullptr;
  std::size_t running_ = 0;
  unsigned round_ = 0;
  std::vector<std::jthread> helpers_;  // last, so that they end before what they use
};

}  // namespace weft::inline v0_1::host
