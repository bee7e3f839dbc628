// launch: runs the same body on every rank, as threads of this process.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/comm/returned.hpp"
#include "weft/comm/threads.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/error.hpp"
#include "weft/core/thread.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1 {

namespace threads {

/// One rank's view of all ranks: their communicator, this rank's share of the processor and its trace. The
/// hub and the lane must outlive it.
class World : public Communicator {
 public:
  World(Hub& hub, int rank, int workers, Lane* lane)
      : Communicator(hub, rank), workers_(workers), lane_(lane) {}

  int workers() const { return workers_; }
  Lane* lane() const { return lane_; }

 private:
  int workers_;
  Lane* lane_;
};

}  // namespace threads

struct LaunchOptions {
  int threads = 0;         // shared by all ranks; 0: as many as the processor has
  Trace* trace = nullptr;  // with a lane for every rank; records every operator and message
};

namespace detail {

/// Starts a thread for each rank from 1 on, then calls run(rank) on each of them and run(0) here; returns
/// when all have ended. Throws before any call if one of the threads cannot be started.
template <class Run>
void run_on_threads(int count, const Run& run) {
  enum class Permission { pending, granted, cancelled };
  std::atomic<Permission> permission = Permission::pending;
  const auto decide = [&permission](Permission decision) {
    permission = decision;
    permission.notify_all();
  };
  std::vector<std::jthread> others;
  try {
    for (int rank = 1; rank < count; ++rank)
      others.push_back(start_thread(sentence("rank ", rank, " of ", count), [&permission, &run, rank] {
        permission.wait(Permission::pending);
        if (permission == Permission::granted) run(rank);
      }));
  } catch (...) {
    decide(Permission::cancelled);
    throw;
  }
  decide(Permission::granted);
  run(0);
}

/// Calls on_rank(rank) on a thread for each of the hub's ranks and returns when all have ended. If one
/// throws, the others stop at their next message, and the first exception is rethrown: an InvalidArgument
/// as it is, anything else as a std::runtime_error that names the rank. If a thread cannot be started, no
/// rank begins.
template <class HubType, class OnRank>
void run_ranks(HubType& hub, const OnRank& on_rank) {
  const int count = hub.ranks();
  std::mutex mutex;
  std::exception_ptr failure;
  int failed = 0;
  const auto run = [&hub, &on_rank, &mutex, &failure, &failed](int rank) {
    try {
      on_rank(rank);
      hub.leave(rank);
    } catch (const Stopped&) {
      // another rank has the reason
    } catch (...) {
      {
        const std::lock_guard lock(mutex);
        if (!failure) {
          failure = std::current_exception();
          failed = rank;
        }
      }
      hub.stop("another rank has failed");
    }
  };
  run_on_threads(count, run);

  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const InvalidArgument&) {
    throw;
  } catch (const std::exception& error) {
    if (count == 1) throw;
    throw std::runtime_error(sentence("rank ", failed, ": ", error.what()));
  }
  if (const std::string reason = hub.reason(); !reason.empty()) throw std::runtime_error(reason);
}

/// Returns the number of ranks. Throws InvalidArgument if so many ranks cannot be threads of one process, or
/// the trace has too few lanes.
[[nodiscard]] inline int checked_ranks(Index ranks, const Trace* trace) {
  constexpr Index most = 1024;
  if (ranks < 1 || ranks > most)
    reject("a world of ", ranks, " ranks cannot be threads of one process; 1 to ", most, " can");
  if (trace && trace->ranks() < ranks)
    reject("the trace has lanes for ", trace->ranks(), " ranks and must have one for each of the ", ranks);
  return static_cast<int>(ranks);
}

}  // namespace detail

/// Calls body(world) on `ranks` threads, one for each rank, and returns what it has returned on rank 0 when
/// all have ended. If a rank throws, the others are stopped, and its exception is rethrown. The caller's
/// thread is rank 0. May be called again after an exception.
template <class Body>
auto launch(Index ranks, Body body, const LaunchOptions& options = {}) {
  const int count = detail::checked_ranks(ranks, options.trace);
  const int available =
      detail::threads_or(static_cast<int>(std::thread::hardware_concurrency()), options.threads);
  threads::Hub hub(count);
  return detail::returned<threads::World>(body, [&hub, &options, count, available](const auto& on_rank) {
    detail::run_ranks(hub, [&hub, &options, &on_rank, count, available](int rank) {
      threads::World world(hub, rank, std::max(1, available / count),
                           options.trace ? &options.trace->lane(rank) : nullptr);
      on_rank(world, rank == 0);
    });
  });
}

}  // namespace weft::inline v0_1
