// Ranks that are processes with a CUDA device each, on any number of hosts, over NCCL. mpirun, torchrun or
// srun starts them.
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

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/copy.cuh"
#include "weft/comm/agreement.hpp"
#include "weft/comm/job/launch_environment.hpp"
#include "weft/comm/job/rendezvous.hpp"
#include "weft/comm/job/watchdog.hpp"
#include "weft/comm/nccl/communicator.cuh"
#include "weft/comm/returned.hpp"
#include "weft/core/thread.hpp"

namespace weft::inline v0_1::nccl {

/// One rank's view of all ranks: their communicator and this rank's trace. `launch` makes it; it lives until
/// the body of that returns.
class World : public Communicator {
 public:
  /// Joins the world on the current device. All ranks call it with the same `id`.
  World(const ncclUniqueId& id, int ranks, int rank) : Communicator(joined(id, ranks, rank)) {}

  int workers() const { return 1; }
  Lane* lane() const { return state().lane; }
  /// The heap of memory that other ranks of the host can access; null if there are none.
  cuda::Heap* heap() const { return state().heap ? &state().heap->heap() : nullptr; }

  /// Returns what this rank posted last, such as "send pipe 3". May be called from any thread.
  std::string doing() const { return state().doing(); }
  /// Returns a sentence about a communicator of this rank that has failed, or nothing. May be called from any
  /// thread.
  std::string failure() const { return state().failure(); }

  /// Records every operator and message from now on. The trace must outlive this and its engines. Throws
  /// InvalidArgument if it has no lane for this rank.
  void record(Trace& trace) { state().lane = &trace.lane(rank()); }

 private:
  static ncclComm_t joined(const ncclUniqueId& id, int ranks, int rank) {
    ncclComm_t out = nullptr;
    check(ncclCommInitRank(&out, ranks, id, rank), "joining the world");
    return out;
  }
};

struct LaunchOptions {
  std::chrono::milliseconds timeout{8000};    // without a heartbeat, after which a rank counts as failed
  std::chrono::milliseconds patience{60000};  // for ranks to connect
  bool handle_sigterm = true;                 // as job::Watchdog::Options say
  /// Likewise; but `launch` does not return after a failure, since the device may never finish its work.
  std::function<void(int, const std::string&)> on_failure{};
};

/// The part of the Cuda backend that an Agreement needs.
struct AgreementMemory {
  using Queue = cuda::Queue;
  template <class T>
  using Buffer = cuda::Buffer<T>;
};

/// The singletons of a process: NCCL's identifier of the world, and the watchdog.
class Session {
 public:
  /// Connects the processes. This one uses the device of its local rank.
  Session(const LaunchEnvironment& environment, const LaunchOptions& options) : environment_(environment) {
    choose_device();
    std::string id(sizeof id_.internal, '\0');
    if (environment.rank == 0) {
      check(ncclGetUniqueId(&id_), "preparing the world");
      id.assign(id_.internal, sizeof id_.internal);
    }
    job::Connected connected = job::rendezvous(environment, id, options.patience);
    if (connected.text.size() != sizeof id_.internal)
      throw std::runtime_error(
          "rank 0 has sent no identifier of NCCL's; all ranks must run one version of weft");
    connected.text.copy(id_.internal, sizeof id_.internal);
    watchdog_.emplace(environment.rank, std::move(connected.processes),
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

  /// Calls body(world), and returns when it is done. An exception of the body ends the job where it is
  /// thrown, without unwinding the stack: destructors would wait for the device, which may wait for other
  /// ranks. So the body runs on a thread of its own, in which nothing catches.
  template <class Body>
  void run(const Body& body) {
    const auto on_rank = [this, &body] {
      choose_device();
      World world(id_, environment_.world, environment_.rank);
      world_ = &world;
      std::jthread monitor =
          start_thread("the monitor of a rank",
                       [this, &world](const std::stop_token& stop) { monitor_world(world, stop); });
      body(world);
      end_together<AgreementMemory>(world);
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
      reject("rank ", environment_.rank,
             " finds no CUDA device on its host, and every rank needs one; weft::Host needs none");
    check(cudaSetDevice(environment_.local_rank % devices), "Choosing a device");
  }

  std::string doing() const {
    const World* const world = world_;
    return world ? world->doing() : "joining the world";
  }

  /// Ends the job when a communicator has failed, since the device would hang in its operations.
  void monitor_world(const World& world, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (const std::string failure = world.failure(); !failure.empty()) {
        std::this_thread::sleep_for(patience);
        watchdog_->fail(1, failure);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  /// Ends the job because of an uncaught exception.
  [[noreturn]] void fail() {
    const World* const world = world_;
    if (world && !world->failure().empty()) std::this_thread::sleep_for(patience);
    try {
      watchdog_->fail(std::current_exception());
    } catch (const Stopped&) {
      for (;;) ::pause();  // the application ends the process
    }
  }

  /// A communicator also fails when another rank has died, which the watchdog reports within this time.
  static constexpr std::chrono::milliseconds patience{1000};

  static inline Session* current_ = nullptr;

  LaunchEnvironment environment_;
  ncclUniqueId id_;
  std::atomic<const World*> world_ = nullptr;
  std::terminate_handler old_handler_ = nullptr;
  std::optional<job::Watchdog> watchdog_;  // last: its thread uses the other members
};

/// Calls body(world) once, on a thread of its own, in every process that the launcher has started, and
/// returns what it has returned in this one when all are done. A failure of any rank ends all processes with
/// one sentence and exit code 2 for InvalidArgument, 1 otherwise; that a rank ends while another asks for
/// more work is an InvalidArgument. A process runs one launch at a time.
template <class Body>
auto launch(const LaunchEnvironment& environment, Body body, const LaunchOptions& options = {}) {
  return weft::detail::returned<World>(body, [&environment, &options](const auto& on_rank) {
    Session(environment, options).run([&on_rank](World& world) { on_rank(world, true); });
  });
}

}  // namespace weft::inline v0_1::nccl
