// Ranks that are processes with a CUDA device each, on any number of hosts: what mpirun, torchrun or srun has
// started becomes a world, over NCCL.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "weft/comm/job/launch_environment.hpp"
#include "weft/comm/job/rendezvous.hpp"
#include "weft/comm/job/watchdog.hpp"
#include "weft/comm/nccl/communicator.cuh"
#include "weft/core/thread.hpp"

namespace weft::nccl {

/// A rank's place in the world: the communicator of all ranks and its trace.
class World : public Communicator {
 public:
  /// Every rank makes one, with the same `id`, on the device that is current.
  World(const ncclUniqueId& id, int ranks, int rank) : Communicator(joined(id, ranks, rank)) {}

  int workers() const { return 1; }
  Lane* lane() const { return home().lane; }
  /// Where queues take memory that other ranks of the host reach; null if none does.
  cuda::Heap* heap() const { return home().heap ? &home().heap->heap() : nullptr; }

  /// What this rank posted last, such as "send pipe 3"; from any thread.
  std::string doing() const { return home().doing(); }
  /// What has failed in the meantime, on any communicator of this rank; from any thread.
  std::string failure() const { return home().failure(); }

  /// Records every operator and message from now on. The trace must outlive this and its engines.
  void record(Trace& trace) { home().lane = &trace.lane(rank()); }

 private:
  static ncclComm_t joined(const ncclUniqueId& id, int ranks, int rank) {
    ncclComm_t out = nullptr;
    check(ncclCommInitRank(&out, ranks, id, rank), "joining the world");
    return out;
  }
};

struct LaunchOptions {
  std::chrono::milliseconds timeout{8000};    // of silence, after which a rank is given up
  std::chrono::milliseconds patience{60000};  // for ranks that do not come
  bool handle_sigterm = true;                 // as job::Watchdog::Options say
  /// Likewise; but `launch` does not return after a failure, since the device may wait for ever.
  std::function<void(int, const std::string&)> on_failure{};
};

/// What is one a process: the watchdog, and what it tells of this rank.
class Session {
 public:
  /// On the device of the process's place among those of its host.
  Session(const LaunchEnvironment& place, const LaunchOptions& options) : place_(place) {
    choose_device();
    std::string id(sizeof id_.internal, '\0');
    if (place.rank == 0) {
      check(ncclGetUniqueId(&id_), "preparing the world");
      id.assign(id_.internal, sizeof id_.internal);
    }
    job::Connected connected = job::rendezvous(place, id, options.patience);
    if (connected.text.size() != sizeof id_.internal)
      throw std::runtime_error(
          "rank 0 has sent no identifier of NCCL's; all ranks must run one version of weft");
    connected.text.copy(id_.internal, sizeof id_.internal);
    watchdog_.emplace(place.rank, std::move(connected.members),
                      job::Watchdog::Options{options.timeout, [this] { return doing(); },
                                             options.handle_sigterm, options.on_failure});
    current_ = this;
    old_handler_ = std::set_terminate([] { current_->fail(); });
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    std::set_terminate(old_handler_);
    current_ = nullptr;
  }

  /// Calls body(world), and returns when it is done. What it throws ends the job from where it is thrown:
  /// nothing on the way out of there is destroyed, since that would wait for the device, which may be waiting
  /// for other ranks. So the body runs on a thread of its own, where nobody catches.
  template <class Body>
  void run(Body& body) {
    const auto on_rank = [this, &body] {
      choose_device();
      World world(id_, place_.world, place_.rank);
      world_ = &world;
      std::jthread monitor = start_thread(
          "the monitor of a rank", [this, &world](const std::stop_token& stop) { listen(world, stop); });
      body(world);
      monitor.request_stop();
      monitor.join();
      world_ = nullptr;
    };
    try {
      start_thread("the thread of a rank", on_rank).join();
    } catch (...) {
      watchdog_->fail(std::current_exception());
    }
  }

 private:
  void choose_device() const {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
      reject("rank ", place_.rank,
             " finds no CUDA device on its host, and every rank needs one; weft::Host needs none");
    check(cudaSetDevice(place_.local_rank % devices), "Choosing a device");
  }

  std::string doing() const {
    const World* const world = world_;
    return world ? world->doing() : "joining the world";
  }

  /// Ends the job when a communicator has failed of which the device would wait for ever.
  void listen(const World& world, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (const std::string failure = world.failure(); !failure.empty()) {
        std::this_thread::sleep_for(patience);
        watchdog_->fail(1, failure);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  /// Ends the job with an uncaught exception.
  [[noreturn]] void fail() {
    const World* const world = world_;
    if (world && !world->failure().empty()) std::this_thread::sleep_for(patience);
    try {
      watchdog_->fail(std::current_exception());
    } catch (const Stopped&) {
      for (;;) ::pause();  // the application is to end the process
    }
  }

  /// A communicator fails as well when another rank has died, of which the watchdog tells within this time.
  static constexpr std::chrono::milliseconds patience{1000};

  static inline Session* current_ = nullptr;

  LaunchEnvironment place_;
  ncclUniqueId id_;
  std::atomic<const World*> world_ = nullptr;
  std::terminate_handler old_handler_ = nullptr;
  std::optional<job::Watchdog> watchdog_;  // last: it asks for the rest
};

/// Calls body(world) once, on a thread of its own, in every process that the launcher has started, and
/// returns when this one is done. A failure of any rank ends all processes: one sentence, exit code 2 if it
/// was InvalidArgument, otherwise 1. One at a time a process.
template <class Body>
void launch(const LaunchEnvironment& place, Body body, const LaunchOptions& options = {}) {
  Session(place, options).run(body);
}

}  // namespace weft::nccl
