// HostAllGather: how ranks that are threads of one process hand each other events and pointers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/cuda/event.cuh"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::cuda {

/// An all-gather among threads. It blocks the host alone: no device waits for it.
class HostAllGather {
 public:
  /// One member's contribution: an event, which may be null, and any number of pointers.
  struct Contribution {
    std::shared_ptr<const Event> event;
    std::vector<void*> memory;
  };

  /// Blocks until all `size` members of a group have called it, of which this is member `rank`; returns what
  /// each has contributed, in the members' order. Throws Stopped after `stop`.
  std::vector<Contribution> gather(const std::string& group, int size, int rank, Contribution mine) {
    std::unique_lock lock(mutex_);
    const std::shared_ptr<Round> round = round_of(group, size);
    round->contributions[static_cast<std::size_t>(rank)] = std::move(mine);
    ++round->count;
    if (round->count == size) {
      rounds_.erase(group);
      changed_.notify_all();
    }
    changed_.wait(lock, [this, &round, size] { return stopped_ || round->count == size; });
    if (round->count < size) throw_stopped();
    return round->contributions;
  }

  /// Makes every all-gather that is not complete throw, now and later.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  /// Throws Stopped after `stop`.
  void throw_if_stopped() {
    const std::lock_guard lock(mutex_);
    if (stopped_) throw_stopped();
  }

 private:
  /// One all-gather of a group, from its first member's call on.
  struct Round {
    std::vector<Contribution> contributions;
    int count = 0;
  };

  std::shared_ptr<Round> round_of(const std::string& group, int size) {
    std::shared_ptr<Round>& round = rounds_[group];
    if (!round) {
      round = std::make_shared<Round>();
      round->contributions.resize(static_cast<std::size_t>(size));
    }
    return round;
  }

  [[noreturn]] static void throw_stopped() { throw Stopped("another rank has failed"); }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Round>> rounds_;  // incomplete ones, by group
  bool stopped_ = false;
};

}  // namespace weft::inline v0_1::cuda
