// Channel: one communicator of NCCL with a stream of its own. No other header includes nccl.h.
#pragma once

#include <cuda_runtime.h>
#include <nccl.h>

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/cuda/queue.cuh"
#include "weft/comm/communicator.hpp"
#include "weft/core/trace.hpp"
#include "weft/pack.cuh"

namespace weft::nccl {

using kernels::check;

inline void check(ncclResult_t result, const char* what) {
  if (result == ncclSuccess) return;
  const char* const more = ncclGetLastError(nullptr);
  throw std::runtime_error(sentence("NCCL: ", what, " failed: ", ncclGetErrorString(result),
                                    more && *more ? sentence(" (", more, ")") : std::string()));
}

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

/// What all communicators of a rank share.
class Home {
 public:
  /// What went wrong in the meantime on a communicator that lives; empty if nothing did. From any thread.
  std::string failure() const {
    std::lock_guard lock(mutex_);
    for (const auto& [comm, name] : living_) {
      ncclResult_t result = ncclSuccess;
      const ncclResult_t asked = ncclCommGetAsyncError(comm, &result);
      if (asked != ncclSuccess) result = asked;
      if (result == ncclSuccess || result == ncclInProgress) continue;
      return sentence("the communicator ", name, " of NCCL has failed: ", ncclGetErrorString(result));
    }
    return {};
  }

  void add(ncclComm_t comm, const std::string& name) {
    std::lock_guard lock(mutex_);
    living_[comm] = name;
  }
  void remove(ncclComm_t comm) {
    std::lock_guard lock(mutex_);
    living_.erase(comm);
  }

  /// What is being posted on a communicator, for whoever asks what the rank does.
  void begin(const std::string& name, const char* what, int peer) {
    Lane::Activity doing{.category = what, .number = peer};
    name.copy(doing.name.data(), doing.name.size() - 1);
    activity_.begin(doing);
  }
  std::string doing() const { return activity_.doing(); }

  Lane* lane = nullptr;  // of the trace
  TrafficByName traffic;

 private:
  Lane activity_ = Lane::without_slices();
  mutable std::mutex mutex_;
  std::map<ncclComm_t, std::string> living_;
};

/// What a queue waits for. Dropped before that, the transfer goes on: NCCL takes nothing back.
struct Event {
  std::shared_ptr<const cuda::Event> done;
};

/// Its operations run one after another, beside those of the queue from which they are posted. All that is
/// called between `begin` and `end` can be recorded into a graph.
class Channel {
 public:
  /// Owns `comm`. `members` are its ranks in the world, for the trace.
  Channel(std::shared_ptr<Home> home, ncclComm_t comm, std::string name, std::vector<int> members)
      : home_(std::move(home)), comm_(comm), name_(std::move(name)), members_(std::move(members)) {
    home_->add(comm_, name_);
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Creating a stream");
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    home_->remove(comm_);
    if (std::uncaught_exceptions() > 0) {
      ncclCommAbort(comm_);  // the others may never come
    } else {
      cudaStreamSynchronize(stream_);
    }
    for (const auto& [data, size, handle] : memory_) {
      if (handle && std::uncaught_exceptions() == 0) ncclCommDeregister(comm_, handle);
      cudaFree(data);
    }
    if (std::uncaught_exceptions() == 0) ncclCommDestroy(comm_);
    cudaStreamDestroy(stream_);
  }

  /// Carries the first messages with the members that are told, since NCCL connects ranks at these, and both
  /// wait.
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
    check(cudaStreamSynchronize(stream_), "Connecting ranks");
  }

  ncclComm_t comm() const { return comm_; }
  cudaStream_t stream() const { return stream_; }

  /// What follows waits for all that is on the queue's stream now.
  void begin(cudaStream_t queue) { cuda::moment_in(queue)->hold(stream_); }
  Event end() { return {cuda::moment_in(stream_)}; }

  /// The messages of one operation, by ranks of this channel, none of them empty; in the trace from when it
  /// could begin until all have gone and come. Rows with gaps go through dense memory.
  void transfer(cuda::Timeline* timeline, std::span<const Addressed> sends,
                std::span<const Addressed> receives) {
    Index bytes = 0, staged = 0;
    for (const Addressed& send : sends) bytes += send.block.bytes();
    for (const auto& side : {sends, receives})
      for (const Addressed& message : side) staged += is_dense(message.block) ? 0 : room(message.block);
    std::byte* at = staged > 0 ? memory(staged) : nullptr;
    const auto place = [&at](std::span<const Addressed> messages) {
      std::vector<kernels::PackedRows> packed;
      for (const auto& [peer, block] : messages) {
        if (is_dense(block)) continue;
        packed.push_back({block.data, at, block.rows, block.row_bytes, block.stride});
        at += room(block);
      }
      return packed;
    };
    const auto outgoing = place(sends), incoming = place(receives);

    const auto begun = timeline ? cuda::moment_in(stream_, cuda::Event::Kind::time) : nullptr;
    kernels::move_packed_rows<kernels::Packing::into_dense>(stream_, outgoing);
    check(ncclGroupStart(), "opening a group");
    auto packed = outgoing.begin();
    for (const auto& [peer, block] : sends)
      check(ncclSend(is_dense(block) ? block.data : (packed++)->dense,
                     static_cast<std::size_t>(block.bytes()), ncclInt8, peer, comm_, stream_),
            "sending");
    packed = incoming.begin();
    for (const auto& [peer, block] : receives)
      check(ncclRecv(is_dense(block) ? block.data : (packed++)->dense,
                     static_cast<std::size_t>(block.bytes()), ncclInt8, peer, comm_, stream_),
            "receiving");
    check(ncclGroupEnd(), "closing a group");
    kernels::move_packed_rows<kernels::Packing::out_of_dense>(stream_, incoming);
    if (!timeline) return;
    const bool sends_alone = receives.empty() && sends.size() == 1;
    timeline->add({.name = named(sends, receives),
                   .category = "transfer",
                   .bytes = bytes,
                   .awaited_by = sends_alone ? world_rank(sends.front().peer) : -1},
                  begun, cuda::moment_in(stream_, cuda::Event::Kind::time));
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

  static bool is_dense(const Block& block) { return block.rows <= 1 || block.stride == block.row_bytes; }
  static Index room(const Block& block) {
    constexpr Index alignment = 256;
    return (block.bytes() + alignment - 1) / alignment * alignment;
  }

  int world_rank(int member) const { return members_[static_cast<std::size_t>(member)]; }

  /// After the communicator and, if there is one alone, the peer.
  std::string named(std::span<const Addressed> sends, std::span<const Addressed> receives) const {
    std::set<int> peers;
    for (const auto& side : {sends, receives})
      for (const Addressed& message : side) peers.insert(world_rank(message.peer));
    return peers.size() == 1 ? sentence(name_, ' ', *peers.begin()) : name_;
  }

  std::shared_ptr<Home> home_;
  ncclComm_t comm_;
  std::string name_;
  std::vector<int> members_;
  cudaStream_t stream_ = nullptr;
  std::vector<Memory> memory_;
};

}  // namespace weft::nccl
