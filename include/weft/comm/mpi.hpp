// Ranks that are processes on the host, over MPI. Only this header and comm/mpi/ include mpi.h.
#pragma once

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/backend/host/buffer.hpp"
#include "weft/backend/host/copy.hpp"
#include "weft/comm/agreement.hpp"
#include "weft/comm/job/rendezvous.hpp"
#include "weft/comm/job/watchdog.hpp"
#include "weft/comm/mpi/communicator.hpp"
#include "weft/comm/returned.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/error.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1::mpi {

struct LaunchOptions {
  int threads = 0;                            // of this process; 0: its share of the host's
  std::chrono::milliseconds timeout{8000};    // without a heartbeat, after which a rank counts as failed
  std::chrono::milliseconds patience{30000};  // for ranks to connect, after MPI has started
  /// Address of rank 0's host for the watchdogs' connections, which then use the network even on one host.
  /// Empty: Unix sockets on one host, otherwise MASTER_ADDR, and without that any interface.
  std::string address{};
  bool handle_sigterm = true;                                 // as job::Watchdog::Options say
  std::function<void(int, const std::string&)> on_failure{};  // likewise
};

namespace detail {

/// The part of the Host backend that an Agreement needs.
struct AgreementMemory {
  using Queue = host::Queue;
  template <class T>
  using Buffer = host::Buffer<T>;
};

/// Returns how many processes of the job run on this host.
inline int processes_of_host() {
  MPI_Comm host;
  int count = 1;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host),
        "counting processes");
  check(MPI_Comm_size(host, &count), "counting processes");
  MPI_Comm_free(&host);
  return count;
}

}  // namespace detail

/// One rank's view of all ranks: their communicator, this rank's share of the processor and its trace.
/// `launch` makes it; it lives until the body of that returns.
class World : public Communicator {
 public:
  World(int threads, std::atomic<Lane*>& lane)
      : workers_(weft::detail::threads_or(share(), threads)), lane_(&lane) {}

  /// Makes a world of some ranks of another one.
  World(const World& whole, const std::vector<int>& members)
      : Communicator(whole.split("world", members)), workers_(whole.workers_), lane_(whole.lane_) {}

  int workers() const { return workers_; }
  Lane* lane() const { return *lane_; }

  /// Records every operator and message from now on. The trace must outlive the launch. Throws
  /// InvalidArgument if it has no lane for this rank.
  void record(Trace& trace) { *lane_ = &trace.lane(rank()); }

 private:
  /// Returns the number of processors to which the launcher has bound this process, at most its share of the
  /// host's.
  static int share() {
    const auto all = static_cast<int>(std::thread::hardware_concurrency());
    cpu_set_t bound;
    const int own = ::sched_getaffinity(0, sizeof bound, &bound) == 0 ? CPU_COUNT(&bound) : all;
    return std::max(1, std::min(own, all / detail::processes_of_host()));
  }

  int workers_;
  std::atomic<Lane*>* lane_;
};

/// The singletons of a process: MPI, the watchdog, and this rank's lane.
class Session {
 public:
  /// Starts MPI unless the application has. Throws InvalidArgument if MPI knows of fewer processes than the
  /// launcher has started.
  explicit Session(const LaunchOptions& options, int expected) {
    int is_there = 0, provided = 0, size = 1;
    MPI_Initialized(&is_there);
    owns_mpi_ = !is_there;
    if (owns_mpi_) check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "starting MPI");
    check(MPI_Comm_size(MPI_COMM_WORLD, &size), "starting MPI");
    if (expected > 0 && size != expected)
      reject("the launcher has started ", expected, " processes, and MPI knows of ", size,
             "; start with mpirun, or with srun --mpi=pmix where MPI was built for it");
    watch(options);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (owns_mpi_ && !watchdog_->has_ended()) MPI_Finalize();  // waits for all ranks
  }

  std::atomic<Lane*>& lane() { return lane_; }

  job::Watchdog& watchdog() { return *watchdog_; }

 private:
  void watch(const LaunchOptions& options) {
    int rank = 0, ranks = 1;
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "starting MPI");
    check(MPI_Comm_size(MPI_COMM_WORLD, &ranks), "starting MPI");
    const bool is_one_host = options.address.empty() && detail::processes_of_host() == ranks;
    std::optional<job::Listener> listener;
    std::string text;
    if (rank == 0) {
      listener.emplace(listener_for(is_one_host, options.address));
      text = job::RendezvousInfo{listener->endpoints(), job::Key::random()}.text();
    }
    const auto info = job::RendezvousInfo::parse(broadcast(std::move(text)));
    job::Connected connected =
        job::connect(info, listener ? &*listener : nullptr, rank, ranks, "", options.patience);
    watchdog_.emplace(rank, std::move(connected.processes),
                      job::Watchdog::Options{options.timeout, [this] { return lane_.load()->doing(); },
                                             options.handle_sigterm, options.on_failure});
  }

  static job::Listener listener_for(bool is_one_host, std::string address) {
    if (is_one_host) return job::Listener({{.socket = "weft-" + job::hex(job::random_bytes(16))}});
    const char* const master = std::getenv("MASTER_ADDR");
    if (address.empty() && master) address = master;
    return address.empty() ? job::Listener::on_all_interfaces()
                           : job::Listener({{.host = address, .port = 0}});
  }

  /// Returns rank 0's text in all processes.
  static std::string broadcast(std::string text) {
    auto length = static_cast<int>(text.size());
    check(MPI_Bcast(&length, 1, MPI_INT, 0, MPI_COMM_WORLD), "starting MPI");
    text.resize(static_cast<std::size_t>(length));
    check(MPI_Bcast(text.data(), length, MPI_CHAR, 0, MPI_COMM_WORLD), "starting MPI");
    return text;
  }

  bool owns_mpi_ = false;
  Lane own_ = Lane::without_slices();
  std::atomic<Lane*> lane_ = &own_;
  std::optional<job::Watchdog> watchdog_;  // last: its thread uses lane_
};

/// Calls body(world) in every process that mpirun has started, once, and returns what it has returned in this
/// one when all are done. A failure of any rank ends all processes with one sentence and exit code 2 for
/// InvalidArgument, 1 otherwise; with on_failure, it throws Stopped on the rank that has failed instead. That
/// a rank is done while another asks for more work is an InvalidArgument. `processes` is their number by the
/// launcher, or 0 if that is unknown.
template <class Body>
auto launch(Body body, const LaunchOptions& options = {}, int processes = 0) {
  return weft::detail::returned<World>(body, [&options, processes](const auto& on_rank) {
    Session session(options, processes);
    try {
      World world(options.threads, session.lane());
      on_rank(world, true);
      end_together<detail::AgreementMemory>(world);
    } catch (...) {
      session.watchdog().fail(std::current_exception());
    }
  });
}

}  // namespace weft::inline v0_1::mpi
