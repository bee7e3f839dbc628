// Channel: one NCCL communicator with a stream of its own.
#pragma once

#include <cuda_runtime.h>
#include <nccl.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/cuda/transfer_stream.cuh"
#include "weft/comm/nccl/check.cuh"
#include "weft/comm/nccl/event.cuh"
#include "weft/comm/nccl/rank_state.cuh"
#include "weft/comm/nccl/transfer_slice.hpp"
#include "weft/pack.cuh"

namespace weft::inline v0_1::nccl {

/// Makes a communicator of the ranks that call it with the same color, in the order of their keys; null
/// without a color. An operation uses at most `most_blocks` thread blocks; 0: NCCL's default.
[[nodiscard]] inline ncclComm_t split_off(ncclComm_t comm, int color, int key, int most_blocks = 0) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  if (most_blocks > 0) config.maxCTAs = most_blocks;
  ncclComm_t out = nullptr;
  check(ncclCommSplit(comm, color, key, &out, most_blocks > 0 ? &config : nullptr),
        "splitting a communicator");
  return out;
}

/// Its operations run one after another, concurrently with the queue from which they are posted. What is
/// called between `begin` and `end` can be recorded into a graph.
class Channel {
 public:
  /// Owns `comm`. `members` are its ranks in the world, for the trace.
  Channel(std::shared_ptr<RankState> state, ncclComm_t comm, std::string name, std::vector<int> members)
      : state_(std::move(state)), comm_(comm), name_(std::move(name)), members_(std::move(members)) {
    state_->add(comm_, name_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    state_->remove(comm_);
    if (std::uncaught_exceptions() > 0) {
      ncclCommAbort(comm_);  // the other ranks may never post their side
    } else {
      cudaStreamSynchronize(stream_.get());
    }
    for (const auto& [data, size, handle] : memory_) {
      if (handle && std::uncaught_exceptions() == 0) ncclCommDeregister(comm_, handle);
      cudaFree(data);
    }
    if (std::uncaught_exceptions() == 0) ncclCommDestroy(comm_);
  }

  /// Exchanges first messages with the given members, during which NCCL connects the ranks; both sides wait.
  void connect(std::span<const int> to, std::span<const int> from) {
    constexpr Index length = 16, least = 1 << 16;
    std::byte* const room = memory(std::max<Index>(length * static_cast<Index>(from.size() + 1), least));
    std::vector<Addressed> sends, receives;
    for (const int peer : to) sends.push_back({peer, View<std::byte, 1>(room, {length})});
    for (const int peer : from) {
      const auto place = static_cast<Index>(receives.size() + 1);
      receives.push_back({peer, View<std::byte, 1>(room + place * length, {length})});
    }
    transfer(nullptr, sends, receives);
    check(cudaStreamSynchronize(stream_.get()), "Connecting ranks");
  }

  ncclComm_t comm() const { return comm_; }
  cudaStream_t stream() const { return stream_.get(); }

  /// Orders the next operation after all that is on the queue's stream now.
  void begin(cudaStream_t queue) { cuda::moment_in(queue)->hold(stream_.get()); }
  /// Returns an event for all operations so far.
  [[nodiscard]] Event end() { return {cuda::moment_in(stream_.get())}; }

  /// Posts one operation: messages to and from ranks of this channel, none of them empty. Rows with gaps are
  /// packed into dense memory. The timeline, if not null, records when it could begin and when all messages
  /// were sent and received.
  void transfer(cuda::Timeline* timeline, std::span<const Addressed> sends,
                std::span<const Addressed> receives) {
    Index staged = 0;
    for (const auto& side : {sends, receives})
      for (const Addressed& message : side) staged += message.piece.is_dense() ? 0 : room(message.piece);
    std::byte* at = staged > 0 ? memory(staged) : nullptr;
    const auto place = [&at](std::span<const Addressed> messages) {
      std::vector<kernels::PackedRows> packed;
      for (const auto& [peer, piece] : messages) {
        if (piece.is_dense()) continue;
        packed.push_back({piece.data, at, piece.rows, piece.row_bytes, piece.stride});
        at += room(piece);
      }
      return packed;
    };
    const auto outgoing = place(sends), incoming = place(receives);

    const auto begun = timeline ? cuda::moment_in(stream_.get(), cuda::Event::Kind::time) : nullptr;
    kernels::move_packed_rows<kernels::Packing::into_dense>(stream_.get(), outgoing);
    check(ncclGroupStart(), "opening a group");
    auto packed = outgoing.begin();
    for (const auto& [peer, piece] : sends) {
      const void* const data = dense_of(piece, packed);
      check(ncclSend(data, static_cast<std::size_t>(piece.bytes()), ncclInt8, peer, comm_, stream_.get()),
            "sending");
    }
    packed = incoming.begin();
    for (const auto& [peer, piece] : receives) {
      void* const data = dense_of(piece, packed);
      check(ncclRecv(data, static_cast<std::size_t>(piece.bytes()), ncclInt8, peer, comm_, stream_.get()),
            "receiving");
    }
    check(ncclGroupEnd(), "closing a group");
    kernels::move_packed_rows<kernels::Packing::out_of_dense>(stream_.get(), incoming);
    if (timeline)
      timeline->add(transfer_slice(name_, members_, sends, receives), begun,
                    cuda::moment_in(stream_.get(), cuda::Event::Kind::time));
  }

  /// Returns memory of at least `bytes` for one operation; the next one may overwrite it. Allocates only
  /// where no earlier operation needed as much, also while work is recorded, and keeps what recorded work
  /// uses.
  std::byte* memory(Index bytes) {
    if (memory_.empty() || memory_.back().size < bytes) {
      Memory more;
      more.size = std::max(bytes, memory_.empty() ? 0 : 2 * memory_.back().size);
      check(cudaMalloc(&more.data, static_cast<std::size_t>(more.size)), "Taking memory on the device");
      memory_.push_back(more);
      check(ncclCommRegister(comm_, more.data, static_cast<std::size_t>(more.size), &memory_.back().handle),
            "registering memory");
    }
    return static_cast<std::byte*>(memory_.back().data);
  }
  /// The number of allocations so far.
  std::size_t allocations() const { return memory_.size(); }

 private:
  struct Memory {
    void* data = nullptr;
    Index size = 0;
    void* handle = nullptr;
  };

  /// Returns the dense memory of a piece: its own, or its packed rows, which come in the order of the pieces.
  static void* dense_of(const StridedBytes& piece, std::vector<kernels::PackedRows>::const_iterator& packed) {
    if (piece.is_dense()) return piece.data;
    void* const dense = packed->dense;
    ++packed;
    return dense;
  }

  /// Returns the bytes of packed memory that a piece takes.
  static Index room(const StridedBytes& piece) {
    constexpr Index alignment = 256;
    return (piece.bytes() + alignment - 1) / alignment * alignment;
  }

  std::shared_ptr<RankState> state_;
  ncclComm_t comm_;
  std::string name_;
  std::vector<int> members_;
  cuda::TransferStream stream_;
  std::vector<Memory> memory_;
};

}  // namespace weft::inline v0_1::nccl
