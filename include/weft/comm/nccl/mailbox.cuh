// Mailbox: messages between ranks that can access each other's memory, without a kernel of NCCL's.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "weft/backend/cuda/flag.cuh"
#include "weft/backend/cuda/host_copy.cuh"
#include "weft/comm/nccl/host_all_gather.cuh"
#include "weft/comm/nccl/window.cuh"
#include "weft/comm/strided_bytes.hpp"
#include "weft/core/error.hpp"
#include "weft/pack.cuh"

namespace weft::inline v0_1::nccl {

/// Every receiver has slots for each of its senders. A sender's copy engine fills the next slot once it is
/// free and raises a flag there; the receiver's stream waits for the flag, copies the slot out and raises a
/// flag at the sender, that the slot is free. All of it can be recorded and replayed. The communicator and
/// `all_gather` must outlive it.
class Mailbox {
 public:
  Mailbox(ncclComm_t comm, int members, int self, HostAllGather& all_gather)
      : comm_(comm), members_(members), self_(self), all_gather_(all_gather) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() {
    if (window_ && std::uncaught_exceptions() == 0) settle();
  }

  /// Reserves slots for messages of at most `bytes` from each of `senders`, of which up to `ahead` are posted
  /// and not yet received. All members call it while no message is in flight. Keeps the slots that it has
  /// where they suffice.
  void open(const std::vector<int>& senders, Index bytes, int ahead) {
    std::vector<Index> mine{bytes, ahead, static_cast<Index>(senders.size())};
    for (int member = 0; member < members_; ++member)
      mine.push_back(std::ranges::find(senders, member) - senders.begin());
    const std::vector<std::vector<Index>> all = all_gather_(mine);
    const auto most = [&all](std::size_t which) {
      return std::ranges::max(all, {}, [which](const auto& theirs) { return theirs[which]; })[which];
    };
    const Index capacity = aligned(most(0));
    const int slots = static_cast<int>(most(1));
    if (window_) settle();
    places_ = all;
    if (window_ && capacity <= capacity_ && slots <= slots_ && most(2) <= senders_) return;
    capacity_ = capacity;
    slots_ = slots;
    senders_ = most(2);
    for (std::vector<Index>* counts : {&sent_, &expected_, &received_})
      counts->assign(static_cast<std::size_t>(members_), 0);
    window_.emplace(comm_, members_, flag_bytes() + senders_ * slots_ * capacity_);
    window_->need();
    for (int member = 0; member < members_; ++member)
      for (int slot = 0; slot < slots_; ++slot) {
        const std::uint32_t free = 1;
        cuda::copy_from_host(flag(self_, Kind::free, member, slot), &free, sizeof free);
      }
    all_gather_({0});
  }
  bool is_open() const { return window_.has_value(); }

  /// The message of one operation from a member.
  struct Expected {
    int from = 0, slot = 0;
    std::vector<StridedBytes> pieces;
  };

  /// Sends a member the pieces of its next operation, on a stream for transfers.
  void send(cudaStream_t stream, int to, std::span<const StridedBytes> pieces) {
    const int slot = slot_of(sent_, to);
    std::byte* at = room(to, self_, slot, pieces);
    ++count(sent_, to);
    cuda::Flag(flag(self_, Kind::free, to, slot)).take(stream);
    for (const StridedBytes& piece : pieces) {
      copy(stream, piece, at);
      at += piece.bytes();
    }
    cuda::Flag(flag(to, Kind::arrived, self_, slot)).raise(stream);
  }

  /// Assigns a slot to the next operation from a member; `receive` takes the result. Throws std::logic_error
  /// if more messages are expected, or longer ones, than were reserved.
  [[nodiscard]] Expected expect(int from, std::vector<StridedBytes> pieces) {
    if (count(expected_, from) - count(received_, from) == slots_)
      throw std::logic_error(sentence(
          "more than ", slots_, " messages of one rank are expected ahead; reserve ", "room for as many"));
    const int slot = slot_of(expected_, from);
    room(self_, from, slot, pieces);
    ++count(expected_, from);
    return {from, slot, std::move(pieces)};
  }

  /// Copies a message to its pieces, for what is queued on the stream next.
  void receive(cudaStream_t stream, const Expected& message) {
    ++count(received_, message.from);
    std::byte* at = room(self_, message.from, message.slot, message.pieces);
    cuda::Flag(flag(self_, Kind::arrived, message.from, message.slot)).take(stream);
    std::vector<kernels::PackedRows> rows;
    for (const StridedBytes& piece : message.pieces) {
      if (piece.is_dense()) {
        check(cudaMemcpyAsync(piece.data, at, static_cast<std::size_t>(piece.bytes()),
                              cudaMemcpyDeviceToDevice, stream),
              "Receiving a message");
      } else {
        rows.push_back({piece.data, at, piece.rows, piece.row_bytes, piece.stride});
      }
      at += piece.bytes();
    }
    kernels::move_packed_rows<kernels::Packing::out_of_dense>(stream, rows);
    cuda::Flag(flag(message.from, Kind::free, self_, message.slot)).raise(stream);
  }

 private:
  enum class Kind { arrived, free };
  static constexpr Index flag_room = 32;  // bytes: a sector of its own

  static Index aligned(Index bytes) {
    constexpr Index alignment = 256;
    return (bytes + alignment - 1) / alignment * alignment;
  }

  static void copy(cudaStream_t stream, const StridedBytes& from, std::byte* to) {
    const auto size = [](Index bytes) { return static_cast<std::size_t>(bytes); };
    const cudaError_t status =
        from.is_dense() ? cudaMemcpyAsync(to, from.data, size(from.bytes()), cudaMemcpyDefault, stream)
                        : cudaMemcpy2DAsync(to, size(from.row_bytes), from.data, size(from.stride),
                                            size(from.row_bytes), size(from.rows), cudaMemcpyDefault, stream);
    check(status, "Sending a message");
  }

  static Index& count(std::vector<Index>& counts, int member) {
    return counts[static_cast<std::size_t>(member)];
  }
  int slot_of(std::vector<Index>& counts, int member) const {
    return static_cast<int>(count(counts, member) % slots_);
  }

  /// Waits until no member's device has work left in the memory of another.
  void settle() {
    check(cudaDeviceSynchronize(), "Ending messages");
    all_gather_({0});
  }

  Index flag_bytes() const { return aligned(2 * members_ * slots_ * flag_room); }

  /// Returns `owner`'s flag for a slot that it shares with `member`.
  std::byte* flag(int owner, Kind kind, int member, int slot) const {
    const int number = (static_cast<int>(kind) * members_ + member) * slots_ + slot;
    return window_->of(owner) + number * flag_room;
  }

  /// Returns the address of a slot at the receiver. Throws std::logic_error if it was not reserved.
  std::byte* room(int to, int from, int slot, std::span<const StridedBytes> pieces) const {
    Index bytes = 0;
    for (const StridedBytes& piece : pieces) bytes += piece.bytes();
    const auto& theirs = places_[static_cast<std::size_t>(to)];
    const Index place = theirs[static_cast<std::size_t>(3 + from)];
    if (place == theirs[2] || bytes > capacity_)
      throw std::logic_error(sentence("a message of ", bytes, " bytes from rank ", from, " to rank ", to,
                                      " of a communicator was not reserved; at most ", capacity_,
                                      " bytes from its named senders are"));
    return window_->of(to) + flag_bytes() + (place * slots_ + slot) * capacity_;
  }

  ncclComm_t comm_;
  int members_, self_;
  HostAllGather& all_gather_;
  std::vector<std::vector<Index>> places_;  // by member: bytes, ahead, senders, the index of each sender
  Index capacity_ = 0, senders_ = 0;
  int slots_ = 0;
  std::vector<Index> sent_, expected_, received_;  // operations so far, by member
  std::optional<Window> window_;
};

}  // namespace weft::inline v0_1::nccl
