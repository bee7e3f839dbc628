// The communicator of ranks that are processes, over MPI: pieces are datatypes, events are requests.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/backend/host/queue.hpp"
#include "weft/comm/communicator.hpp"
#include "weft/comm/members.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::mpi {

/// Throws std::runtime_error with MPI's message unless the code is MPI_SUCCESS.
inline void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error(sentence(what, ": ", static_cast<const char*>(text)));
}

/// The datatype of a piece, so that MPI reads and writes strided rows in place. MPI counts with int, so that
/// longer rows are made of chunks.
class Datatype {
 public:
  explicit Datatype(const StridedBytes& piece) : type_(bytes(piece.row_bytes)) {
    if (piece.rows > 1) replace(rows_of(type_, piece.rows, piece.stride));
    check(MPI_Type_commit(&type_), "describing a message");
  }
  Datatype(const Datatype&) = delete;
  Datatype& operator=(const Datatype&) = delete;
  ~Datatype() { MPI_Type_free(&type_); }

  MPI_Datatype get() const { return type_; }

 private:
  static constexpr Index chunk = Index{1} << 30;

  static MPI_Datatype bytes(Index count) { return rows_of(MPI_BYTE, count, 1); }

  /// Makes the type of `count` elements of `type`, each `stride` bytes after the one before.
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

/// The requests of one operation. Destroyed or replaced before it was waited for, it cancels its receives and
/// waits until its sends have completed, which MPI cannot cancel; so memory that was posted must outlive it.
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
    int peer;                         // its rank in the world
    std::optional<Index> to_receive;  // bytes of a receive
  };

  void drop() {
    // After a failure the job ends without further messages over MPI, and the peer may never post its side.
    if (std::uncaught_exceptions() > 0) pending_.clear();
    for (Pending& pending : pending_) {
      if (pending.to_receive) MPI_Cancel(&pending.request);
      MPI_Wait(&pending.request, MPI_STATUS_IGNORE);
    }
    pending_.clear();
  }

  std::vector<Pending> pending_;
};

/// Satisfies every concept of communicator.hpp. Used by one thread a process. An error of MPI throws; a
/// failure of another rank ends this process through its watchdog.
class Communicator {
 public:
  using Queue = host::Queue;
  using Event = mpi::Event;

  /// Makes the communicator of MPI's world.
  Communicator()
      : Communicator(
            MPI_COMM_WORLD, [](MPI_Comm*) {}, "world", world_members()) {}

  int rank() const { return members_.rank(); }
  int size() const { return members_.size(); }

  /// Makes a communicator of `members`, which are ranks of this one, the caller's among them. `name` names it
  /// in traces and traffic.
  [[nodiscard]] Communicator split(std::string_view name, const std::vector<int>& members) const {
    Members some = members_.some(members);
    MPI_Group all, group;
    MPI_Comm comm;
    check(MPI_Comm_group(*comm_, &all), "splitting a communicator");
    check(MPI_Group_incl(all, some.size(), members.data(), &group), "splitting a communicator");
    check(MPI_Comm_create_group(*comm_, group, 0, &comm), "splitting a communicator");
    MPI_Group_free(&all);
    MPI_Group_free(&group);
    const auto free = [](MPI_Comm* owned) {
      int is_over = 0;
      MPI_Finalized(&is_over);
      if (!is_over) MPI_Comm_free(owned);
      delete owned;
    };
    Communicator out(comm, free, name, std::move(some));
    out.traffic_ = traffic_;
    return out;
  }

  [[nodiscard]] Event send(Queue& queue, const StridedBytes& piece, int to) {
    Event event;
    post_send(queue, event, piece, to);
    return event;
  }

  [[nodiscard]] Event receive(Queue& queue, const StridedBytes& piece, int from) {
    Event event;
    post_receive(queue, event, piece, from);
    return event;
  }

  [[nodiscard]] Event all_to_all(Queue& queue, std::span<const Addressed> sends,
                                 std::span<const Addressed> receives) {
    Event event;
    for (const auto& [peer, piece] : receives) post_receive(queue, event, piece, peer);
    for (const auto& [peer, piece] : sends) post_send(queue, event, piece, peer);
    return event;
  }

  [[nodiscard]] Event all_gather(Queue& queue, std::span<const StridedBytes> pieces) {
    Event event;
    for (int peer = 0; peer < size(); ++peer)
      if (peer != rank()) post_receive(queue, event, pieces[static_cast<std::size_t>(peer)], peer);
    for (int peer = 0; peer < size(); ++peer)
      if (peer != rank()) post_send(queue, event, pieces[static_cast<std::size_t>(rank())], peer);
    return event;
  }

  void all_reduce(Queue& queue, const View<double, 1>& values) { sum_in_order(*this, queue, values); }

  /// Waits until all of the event's messages have completed. Throws std::logic_error if a message and its
  /// receive differ in size.
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
                                        world_rank(rank()), " has ", *to_receive, " bytes on one side and ",
                                        code == MPI_SUCCESS ? std::to_string(count) : "more",
                                        " on the other"));
      check(code, "a message");
    }
    event.pending_.clear();
  }

  /// Returns what this rank has sent so far, by the name of the communicator.
  const TrafficByName& traffic() const { return *traffic_; }

 private:
  template <class Free>
  Communicator(MPI_Comm comm, Free free, std::string_view name, Members members)
      : comm_(new MPI_Comm(comm), free), name_(name), members_(std::move(members)) {
    check(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "setting up a communicator");
  }

  static Members world_members() {
    int rank = 0, size = 1;
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "setting up a communicator");
    check(MPI_Comm_size(MPI_COMM_WORLD, &size), "setting up a communicator");
    return {size, rank};
  }

  int world_rank(int member) const { return members_.world_rank(member); }

  void post_send(Queue& queue, Event& event, const StridedBytes& piece, int to) {
    if (piece.bytes() == 0) return;
    (*traffic_)[name_] += {1, piece.bytes()};
    const auto span = queue.span("send", name_.c_str(), world_rank(to), piece.bytes());
    MPI_Request request;
    check(MPI_Isend(piece.data, 1, Datatype(piece).get(), to, 0, *comm_, &request), "sending");
    event.pending_.push_back({request, world_rank(to), std::nullopt});
  }

  void post_receive(Queue& queue, Event& event, const StridedBytes& piece, int from) {
    if (piece.bytes() == 0) return;
    const auto span = queue.span("receive", name_.c_str(), world_rank(from), piece.bytes());
    MPI_Request request;
    check(MPI_Irecv(piece.data, 1, Datatype(piece).get(), from, 0, *comm_, &request), "receiving");
    event.pending_.push_back({request, world_rank(from), piece.bytes()});
  }

  std::shared_ptr<MPI_Comm> comm_;
  std::shared_ptr<TrafficByName> traffic_ = std::make_shared<TrafficByName>();
  std::string name_;
  Members members_;
};

}  // namespace weft::inline v0_1::mpi
