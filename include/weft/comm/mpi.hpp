// The communicator of ranks that are processes, on the host, over the MPI that the machine has. The one
// header that includes mpi.h.
#pragma once

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "weft/backend/host/queue.hpp"
#include "weft/comm/communicator.hpp"
#include "weft/comm/watchdog.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/error.hpp"
#include "weft/core/trace.hpp"

namespace weft::mpi {

inline void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error(sentence(what, ": ", static_cast<const char*>(text)));
}

/// The datatype of a block: MPI reads and writes strided rows where they are. Counts of MPI are ints, so that
/// what is longer is made of chunks.
class Datatype {
 public:
  explicit Datatype(const Block& block) : type_(bytes(block.row_bytes)) {
    if (block.rows > 1) replace(rows_of(type_, block.rows, block.stride));
    check(MPI_Type_commit(&type_), "describing a message");
  }
  Datatype(const Datatype&) = delete;
  Datatype& operator=(const Datatype&) = delete;
  ~Datatype() { MPI_Type_free(&type_); }

  MPI_Datatype get() const { return type_; }

 private:
  static constexpr Index chunk = Index{1} << 30;

  static MPI_Datatype bytes(Index count) { return rows_of(MPI_BYTE, count, 1); }

  /// `count` of `type`, each `stride` bytes behind the one before.
  static MPI_Datatype rows_of(MPI_Datatype type, Index count, Index stride) {
    const auto some = [type, stride](Index n) {
      MPI_Datatype out;
      check(MPI_Type_create_hvector(static_cast<int>(n), 1, stride, type, &out), "describing a message");
      return out;
    };
    if (count <= chunk) return some(count);
    const Index rest = count % chunk;
    MPI_Datatype parts[] = {some(chunk), some(rest)}, chunks, out;
    check(MPI_Type_create_hvector(static_cast<int>(count / chunk), 1, chunk * stride, parts[0], &chunks),
          "describing a message");
    const int lengths[] = {1, 1};
    const MPI_Aint places[] = {0, (count - rest) * stride};
    const MPI_Datatype both[] = {chunks, parts[1]};
    check(MPI_Type_create_struct(2, lengths, places, both, &out), "describing a message");
    for (MPI_Datatype* part : {&parts[0], &parts[1], &chunks}) MPI_Type_free(part);
    return out;
  }

  void replace(MPI_Datatype type) {
    MPI_Type_free(&type_);
    type_ = type;
  }

  MPI_Datatype type_;
};

/// What a rank waits for. Dropped before that, it takes back what it would have received, and waits until
/// what it sends has left: MPI takes nothing back that is on its way.
class Event {
 public:
  Event() = default;
  Event(Event&& other) noexcept : pending_(std::exchange(other.pending_, {})) {}
  Event& operator=(Event&& other) noexcept {
    drop();
    pending_ = std::exchange(other.pending_, {});
    return *this;
  }
  ~Event() { drop(); }

 private:
  friend class Communicator;

  struct Pending {
    MPI_Request request;
    int peer;                         // in the world
    std::optional<Index> to_receive;  // bytes
  };

  void drop() {
    // After a failure the job ends without a further word over MPI, and the peer may never come.
    if (std::uncaught_exceptions() > 0) pending_.clear();
    for (Pending& pending : pending_) {
      if (pending.to_receive) MPI_Cancel(&pending.request);
      MPI_Wait(&pending.request, MPI_STATUS_IGNORE);
    }
    pending_.clear();
  }

  std::vector<Pending> pending_;
};

/// Satisfies every concept of communicator.hpp. Of one thread a process. An error of MPI throws; what another
/// rank fails of ends this process from its watchdog.
class Communicator {
 public:
  using Queue = host::Queue;
  using Event = mpi::Event;

  /// Of MPI's world.
  Communicator() : traffic_(std::make_shared<std::map<std::string, Traffic, std::less<>>>()), name_("world") {
    adopt(MPI_COMM_WORLD, [](MPI_Comm*) {});
    for (int r = 0; r < size(); ++r) members_.push_back(r);
  }

  int rank() const { return rank_; }
  int size() const { return size_; }

  /// `members` are ranks of this communicator, its caller among them; `name` tells it apart in traces and in
  /// traffic.
  Communicator split(std::string_view name, const std::vector<int>& members) const {
    if (std::find(members.begin(), members.end(), rank_) == members.end())
      throw std::logic_error("a rank can only split off a group that it is in");
    MPI_Group all, some;
    MPI_Comm comm;
    check(MPI_Comm_group(*comm_, &all), "splitting a communicator");
    check(MPI_Group_incl(all, static_cast<int>(members.size()), members.data(), &some),
          "splitting a communicator");
    check(MPI_Comm_create_group(*comm_, some, 0, &comm), "splitting a communicator");
    MPI_Group_free(&all), MPI_Group_free(&some);
    Communicator out = *this;
    out.name_ = name;
    out.adopt(comm, [](MPI_Comm* mine) {
      int is_over = 0;
      MPI_Finalized(&is_over);
      if (!is_over) MPI_Comm_free(mine);
      delete mine;
    });
    out.members_.clear();
    for (int member : members) out.members_.push_back(world_rank(member));
    return out;
  }

  Event send(Queue& queue, const Block& block, int to) {
    Event event;
    post_send(queue, event, block, to);
    return event;
  }

  Event receive(Queue& queue, const Block& block, int from) {
    Event event;
    post_receive(queue, event, block, from);
    return event;
  }

  Event all_to_all(Queue& queue, std::span<const Addressed> sends, std::span<const Addressed> receives) {
    Event event;
    for (const auto& [peer, block] : receives) post_receive(queue, event, block, peer);
    for (const auto& [peer, block] : sends) post_send(queue, event, block, peer);
    return event;
  }

  Event all_gather(Queue& queue, std::span<const Block> blocks) {
    Event event;
    for (int peer = 0; peer < size_; ++peer)
      if (peer != rank_) post_receive(queue, event, blocks[static_cast<std::size_t>(peer)], peer);
    for (int peer = 0; peer < size_; ++peer)
      if (peer != rank_) post_send(queue, event, blocks[static_cast<std::size_t>(rank_)], peer);
    return event;
  }

  void all_reduce(Queue& queue, const View<double, 1>& values) { sum_in_order(*this, queue, values); }

  void wait(Queue& queue, Event& event) {
    if (event.pending_.empty()) return;
    const auto span = queue.span("wait", name_.c_str());
    for (auto& [request, peer, to_receive] : event.pending_) {
      MPI_Status status;
      MPI_Count count = 0;
      const int code = MPI_Wait(&request, &status);
      if (to_receive) MPI_Get_elements_x(&status, MPI_BYTE, &count);
      if (to_receive && (code == MPI_ERR_TRUNCATE || (code == MPI_SUCCESS && count != *to_receive)))
        throw std::logic_error(sentence("a message of ", name_, " from rank ", peer, " to rank ",
                                        world_rank(rank_), " has ", *to_receive, " bytes on one side and ",
                                        code == MPI_SUCCESS ? std::to_string(count) : "more",
                                        " on the other"));
      check(code, "a message");
    }
    event.pending_.clear();
  }

  /// What this rank has sent so far, by the name of the communicator.
  const std::map<std::string, Traffic, std::less<>>& traffic() const { return *traffic_; }

 private:
  template <class Free>
  void adopt(MPI_Comm comm, Free free) {
    comm_ = {new MPI_Comm(comm), free};
    check(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "setting up a communicator");
    check(MPI_Comm_rank(comm, &rank_), "setting up a communicator");
    check(MPI_Comm_size(comm, &size_), "setting up a communicator");
  }

  int world_rank(int member) const { return members_[static_cast<std::size_t>(member)]; }

  void post_send(Queue& queue, Event& event, const Block& block, int to) {
    if (block.bytes() == 0) return;
    Traffic& sent = (*traffic_)[name_];
    sent.calls += 1, sent.bytes += block.bytes();
    const auto span = queue.span("send", name_.c_str(), world_rank(to), block.bytes());
    MPI_Request request;
    check(MPI_Isend(block.data, 1, Datatype(block).get(), to, 0, *comm_, &request), "sending");
    event.pending_.push_back({request, world_rank(to), std::nullopt});
  }

  void post_receive(Queue& queue, Event& event, const Block& block, int from) {
    if (block.bytes() == 0) return;
    const auto span = queue.span("receive", name_.c_str(), world_rank(from), block.bytes());
    MPI_Request request;
    check(MPI_Irecv(block.data, 1, Datatype(block).get(), from, 0, *comm_, &request), "receiving");
    event.pending_.push_back({request, world_rank(from), block.bytes()});
  }

  std::shared_ptr<MPI_Comm> comm_;
  std::shared_ptr<std::map<std::string, Traffic, std::less<>>> traffic_;
  std::string name_;
  std::vector<int> members_;  // ranks of the world
  int rank_ = 0, size_ = 1;
};

struct LaunchOptions {
  int threads = 0;                          // of this process; 0: its share of the host's
  std::chrono::milliseconds timeout{8000};  // of silence, after which a rank is given up
};

/// A rank's place in the world: the communicator of all ranks, its share of the processor and its trace.
class World : public Communicator {
 public:
  World(int threads, std::atomic<Lane*>& lane) : workers_(threads > 0 ? threads : share()), lane_(&lane) {}

  /// Of some ranks of another world.
  World(const World& whole, const std::vector<int>& members)
      : Communicator(whole.split("world", members)), workers_(whole.workers_), lane_(whole.lane_) {}

  int workers() const { return workers_; }
  Lane* lane() const { return *lane_; }

  /// Records every operator and message from now on. The trace must outlive the launch.
  void record(Trace& trace) { *lane_ = &trace.lane(rank()); }

 private:
  /// What the launcher has bound this process to, and no more than a fair part of the host.
  static int share() {
    MPI_Comm host;
    int processes = 1;
    check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host),
          "counting processes");
    check(MPI_Comm_size(host, &processes), "counting processes");
    MPI_Comm_free(&host);
    const auto all = static_cast<int>(std::thread::hardware_concurrency());
    cpu_set_t bound;
    const int own = ::sched_getaffinity(0, sizeof bound, &bound) == 0 ? CPU_COUNT(&bound) : all;
    return std::max(1, std::min(own, all / processes));
  }

  int workers_;
  std::atomic<Lane*>* lane_;
};

/// Everything of a job that is one a process: MPI, the watchdog, and what it tells of this rank.
class Session {
 public:
  /// Refused if MPI knows of fewer processes than the launcher has started.
  explicit Session(const LaunchOptions& options, int expected) {
    int is_there = 0, provided = 0, size = 1;
    MPI_Initialized(&is_there);
    owns_mpi_ = !is_there;
    if (owns_mpi_) check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "starting MPI");
    check(MPI_Comm_size(MPI_COMM_WORLD, &size), "starting MPI");
    if (expected > 0 && size != expected)
      refuse("the launcher has started ", expected, " processes, and MPI knows of ", size,
             "; start with mpirun, or with srun --mpi=pmix where MPI was built for it");
    watch({options.timeout, [this] { return lane_.load()->doing(); }});
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (owns_mpi_) MPI_Finalize();
  }

  std::atomic<Lane*>& lane() { return lane_; }

  /// Ends the job with the exception that is being handled.
  [[noreturn]] void fail() {
    try {
      throw;
    } catch (const Refused& refusal) {
      watchdog_->fail(2, refusal.what());
    } catch (const std::bad_alloc&) {
      watchdog_->fail(1, "the memory is too small for this");
    } catch (const std::exception& error) {
      watchdog_->fail(1, error.what());
    } catch (...) {
      watchdog_->fail(1, "something was thrown that is no exception");
    }
  }

 private:
  void watch(Watchdog::Options options) {
    int rank = 0, ranks = 1;
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "starting MPI");
    check(MPI_Comm_size(MPI_COMM_WORLD, &ranks), "starting MPI");
    std::optional<Door> door;
    std::string meeting;
    if (rank == 0) meeting = door.emplace().meeting().text();
    auto length = static_cast<int>(meeting.size());
    check(MPI_Bcast(&length, 1, MPI_INT, 0, MPI_COMM_WORLD), "starting MPI");
    meeting.resize(static_cast<std::size_t>(length));
    check(MPI_Bcast(meeting.data(), length, MPI_CHAR, 0, MPI_COMM_WORLD), "starting MPI");
    rank == 0 ? watchdog_.emplace(*door, ranks, std::move(options))
              : watchdog_.emplace(Meeting::in(meeting), rank, std::move(options));
  }

  bool owns_mpi_ = false;
  Lane own_ = Lane::without_slices();
  std::atomic<Lane*> lane_ = &own_;
  std::optional<Watchdog> watchdog_;  // last: watches until MPI has ended
};

/// Calls body(world) in every process that mpirun has started, once, and returns when this one is done. A
/// failure of any rank ends all processes: one sentence, exit code 2 if it was Refused, otherwise 1.
/// `processes` is what the launcher says, if anything does.
template <class Body>
void launch(Body body, const LaunchOptions& options = {}, int processes = 0) {
  Session session(options, processes);
  try {
    World world(options.threads, session.lane());
    body(world);
  } catch (...) {
    session.fail();
  }
}

}  // namespace weft::mpi
