// Solo: a world of one rank.
#pragma once

#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1 {

/// Satisfies every concept of communicator.hpp for the queue of any backend. Sending and receiving throw
/// std::logic_error, since there is no other rank.
template <class QueueType>
class Solo {
 public:
  using Queue = QueueType;
  using Communicator = Solo;
  struct Event {};

  /// `workers` threads share an operator of the Host backend; `lane`, if not null, records the trace and must
  /// outlive the world.
  explicit Solo(int workers = 1, Lane* lane = nullptr) : workers_(workers), lane_(lane) {}

  int rank() const { return 0; }
  int size() const { return 1; }
  int workers() const { return workers_; }
  Lane* lane() const { return lane_; }

  [[nodiscard]] Event send(Queue&, const StridedBytes&, int) { throw_alone(); }
  [[nodiscard]] Event receive(Queue&, const StridedBytes&, int) { throw_alone(); }
  [[nodiscard]] Event all_to_all(Queue&, std::span<const Addressed> sends,
                                 std::span<const Addressed> receives) {
    if (!sends.empty() || !receives.empty()) throw_alone();
    return {};
  }
  [[nodiscard]] Event all_gather(Queue&, std::span<const StridedBytes>) { return {}; }
  void all_reduce(Queue&, const View<double, 1>&) {}
  [[nodiscard]] Solo split(std::string_view, const std::vector<int>&) const { return *this; }
  void wait(Queue&, Event&) {}

 private:
  [[noreturn]] static void throw_alone() {
    throw std::logic_error("a world of one rank has no other rank to send to");
  }

  int workers_;
  Lane* lane_;
};

}  // namespace weft::inline v0_1
