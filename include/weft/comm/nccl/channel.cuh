// Channel: one communicator of NCCL with a stream of its own.
#pragma once

#include <cuda_runtime.h>
#include <nccl.h>

#include <algorithm>
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
#include "weft/comm/nccl/home.cuh"
#include "weft/comm/nccl/transfer_slice.hpp"
#include "weft/pack.cuh"

namespace weft::nccl {

/// A communicator of those that call it with the same color, in the order of their keys; null without a
/// color. `most_blocks` of threads may run an operation; 0: NCCL says.
inline ncclComm_t split_off(ncclComm_t comm, int color, int key, int most_blocks = 0) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  if (most_blocks > 0) config.maxCTAs = most_blocks;
  ncclComm_t out = nullptr;
  check(ncclCommSplit(comm, color, key, &out, most_blocks > 0 ? &config : nullptr),
        "splitting a communicator");
  return out;
}

/// Its operations run one after another, beside those of the queue from which they are posted. All that is
/// called between `begin` and `end` can be recorded into a graph.
class Channel {
 public:
  /// Owns `comm`. `members` are its ranks in the world, for the trace.
  Channel(std::shared_ptr<Home> home, ncclComm_t comm, std::string name, std::vector<int> members)
      : home_(std::move(home)), comm_(comm), name_(std::move(name)), members_(std::move(members)) {
    home_->add(comm_, name_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    home_->remove(comm_);
    if (std::uncaught_exceptions() > 0) {
      ncclCommAbort(comm_);  // the others may never come
    } else {
      cudaStreamSynchronize(stream_.get());
    }
    for (const auto& [data, size, handle] : memory_) {
      if (handle && std::uncaught_exceptions() == 0) ncclCommDeregister(comm_, handle);
      cudaFree(data);
    }
    if (std::uncaught_exceptions() == 0) ncclCommDestroy(comm_);
  }

  /// Exchanges the first messages with the members that are given, since NCCL connects ranks at these, and
  /// both wait.
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

  /// What follows waits for all that is on the queue's stream now.
  void begin(cudaStream_t queue) { cuda::moment_in(queue)->hold(stream_.get()); }
  Event end() { return {cuda::moment_in(stream_.get())}; }

  /// The messages of one operation, by ranks of this channel, none of them empty; in the trace from when it
  /// could begin until all have gone and come. Rows with gaps go through dense memory.
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
    for (const auto& [peer, piece] : sends)
      check(ncclSend(piece.is_dense() ? piece.data : (packed++)->dense,
                     static_cast<std::size_t>(piece.bytes()), ncclInt8, peer, comm_, stream_.get()),
            "sending");
    packed = incoming.begin();
    for (const auto& [peer, piece] : receives)
      check(ncclRecv(piece.is_dense() ? piece.data : (packed++)->dense,
                     static_cast<std::size_t>(piece.bytes()), ncclInt8, peer, comm_, stream_.get()),
            "receiving");
    check(ncclGroupEnd(), "closing a group");
    kernels::move_packed_rows<kernels::Packing::out_of_dense>(stream_.get(), incoming);
    if (timeline)
      timeline->add(transfer_slice(name_, members_, sends, receives), begun,
                    cuda::moment_in(stream_.get(), cuda::Event::Kind::time));
  }

  /// At least so much for one operation; the next may write over it. Taken when it is first asked for, that
  /// is while work is recorded; what recorded work uses stays.
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
  /// How often memory was taken so far.
  std::size_t allocations() const { return memory_.size(); }

 private:
  struct Memory {
    void* data = nullptr;
    Index size = 0;
    void* handle = nullptr;
  };

  static Index room(const StridedBytes& piece) {
    constexpr Index alignment = 256;
    return (piece.bytes() + alignment - 1) / alignment * alignment;
  }

  std::shared_ptr<Home> home_;
  ncclComm_t comm_;
  std::string name_;
  std::vector<int> members_;
  cuda::TransferStream stream_;
  std::vector<Memory> memory_;
};

}  // namespace weft::nccl
