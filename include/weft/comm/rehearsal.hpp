// Rehearsal: a world in which one rank of many runs alone, for timing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/members.hpp"
#include "weft/core/host_device.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1 {

/// Returns 16 bits that are, alone or in pairs, a number between ±1/8 and ±2 in every format of 16 or 32
/// bits.
WEFT_HOST_DEVICE constexpr std::uint16_t rehearsed_bits(std::uint64_t i) {
  const std::uint64_t mixed = (i + 1) * 0x9E3779B97F4A7C15u;
  return static_cast<std::uint16_t>((mixed >> 40 & 0x80FF) | 0x3E00);
}

/// Fills a piece of host memory with such numbers.
inline void fill_on_host(const StridedBytes& piece) {
  for (Index row = 0; row < piece.rows; ++row)
    for (Index i = 0; i + 2 <= piece.row_bytes; i += 2) {
      const std::uint16_t bits = rehearsed_bits(static_cast<std::uint64_t>(row * piece.row_bytes + i));
      std::memcpy(piece.data + row * piece.stride + i, &bits, sizeof bits);
    }
}

/// The rank computes what it would compute among the others, in the time of its own work. Its sends are
/// counted and discarded; memory into which it receives is filled with numbers the first time, and then left
/// as it is. Satisfies every concept of communicator.hpp and world.hpp for the queue of any backend.
template <class QueueType>
class Rehearsal {
 public:
  using Queue = QueueType;
  using Communicator = Rehearsal;
  struct Event {};
  static constexpr bool is_rehearsal = true;  // received values are meaningless
  /// Writes numbers to memory at once, also while work is recorded.
  using Fill = void (*)(const StridedBytes&);

  /// Makes rank `rank` of `ranks`. `workers` threads share an operator of the Host backend; `lane`, if not
  /// null, records the trace and must outlive the world. If it `pushes`, it stores into its own memory what
  /// is meant for others.
  Rehearsal(Index ranks, int rank, Fill fill, int workers = 1, Lane* lane = nullptr, bool pushes = false)
      : state_(std::make_shared<State>(State{fill, pushes, {}, {}, 0})),
        members_(static_cast<int>(ranks), rank),
        workers_(workers),
        lane_(lane) {}

  int rank() const { return members_.rank(); }
  int size() const { return members_.size(); }
  int workers() const { return workers_; }
  Lane* lane() const { return lane_; }

  /// Returns what this rank would have sent so far, by the name of the communicator.
  const TrafficByName& traffic() const { return state_->traffic; }

  /// Returns the bytes of the receive buffers that were reserved.
  Index reserved() const { return state_->reserved; }

  /// Counts receive buffers, which nothing needs here.
  void reserve(const std::vector<int>& senders, Index bytes, int ahead) {
    state_->reserved += static_cast<Index>(senders.size()) * bytes * ahead;
  }

  [[nodiscard]] Rehearsal split(std::string_view name, const std::vector<int>& members) const {
    Rehearsal out = *this;
    out.name_ = name;
    out.members_ = members_.some(members);
    return out;
  }

  [[nodiscard]] Event send(Queue&, const StridedBytes& piece, int) {
    count(piece);
    return {};
  }
  [[nodiscard]] Event receive(Queue&, const StridedBytes& piece, int) {
    fill_once(piece);
    return {};
  }
  [[nodiscard]] Event all_to_all(Queue&, std::span<const Addressed> sends,
                                 std::span<const Addressed> receives) {
    for (const Addressed& send : sends) count(send.piece);
    for (const Addressed& receive : receives) fill_once(receive.piece);
    return {};
  }
  [[nodiscard]] Event all_gather(Queue&, std::span<const StridedBytes> pieces) {
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      count(pieces[static_cast<std::size_t>(rank())]);
      fill_once(pieces[static_cast<std::size_t>(peer)]);
    }
    return {};
  }
  void all_reduce(Queue&, const View<double, 1>& values) {
    for (int peer = 1; peer < size(); ++peer) count(values);
  }
  void wait(Queue&, Event&) {}

  bool pushes() const { return state_->pushes; }
  [[nodiscard]] std::vector<std::vector<void*>> exchange_pointers(Queue&, const std::vector<void*>& memory) {
    return std::vector(static_cast<std::size_t>(size()), memory);
  }
  void barrier(Queue&) {}
  void pushed(Queue&, const Traffic& sent) { state_->traffic[name_] += sent; }

 private:
  /// State that all communicators of the rank share.
  struct State {
    Fill fill;
    bool pushes;
    TrafficByName traffic;
    std::set<const std::byte*> filled;  // memory that was received into before
    Index reserved = 0;
  };

  void count(const StridedBytes& piece) {
    if (piece.bytes() > 0) state_->traffic[name_] += {1, piece.bytes()};
  }
  void fill_once(const StridedBytes& piece) {
    if (piece.bytes() > 0 && state_->filled.insert(piece.data).second) state_->fill(piece);
  }

  std::shared_ptr<State> state_;
  std::string name_ = "world";
  Members members_;
  int workers_;
  Lane* lane_;
};

}  // namespace weft::inline v0_1
