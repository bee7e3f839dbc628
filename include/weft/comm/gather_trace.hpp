// gather_trace: collects the trace slices of all processes on rank 0.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "weft/comm/communicator.hpp"
#include "weft/core/trace.hpp"

namespace weft::inline v0_1 {

namespace detail {

using Clock = Lane::Clock;

inline std::int64_t nanoseconds(Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

template <class W>
void send_bytes(W& world, typename W::Queue& queue, const void* data, Index size, int to) {
  auto event = world.send(queue, View<const std::byte, 1>(static_cast<const std::byte*>(data), {size}), to);
  world.wait(queue, event);
}

template <class W>
void receive_bytes(W& world, typename W::Queue& queue, void* data, Index size, int from) {
  auto event = world.receive(queue, View<std::byte, 1>(static_cast<std::byte*>(data), {size}), from);
  world.wait(queue, event);
}

/// Returns on rank 0 by how many nanoseconds the clock of `peer` is ahead, estimated from the fastest of some
/// round trips. An offset below one round trip counts as 0: the processes of a host share a clock. Both sides
/// call it; the peer's result means nothing.
template <class W>
std::int64_t clock_offset(W& world, typename W::Queue& queue, int peer) {
  constexpr int trips = 16;
  std::int64_t fastest = std::numeric_limits<std::int64_t>::max(), offset = 0;
  for (int trip = 0; trip < trips; ++trip) {
    const std::int64_t begin = nanoseconds(Clock::now());
    std::int64_t theirs = begin;
    if (world.rank() != 0) {
      receive_bytes(world, queue, &theirs, sizeof theirs, 0);
      theirs = nanoseconds(Clock::now());
      send_bytes(world, queue, &theirs, sizeof theirs, 0);
      continue;
    }
    send_bytes(world, queue, &theirs, sizeof theirs, peer);
    receive_bytes(world, queue, &theirs, sizeof theirs, peer);
    const std::int64_t end = nanoseconds(Clock::now());
    if (end - begin >= fastest) continue;
    fastest = end - begin;
    offset = theirs - (begin + end) / 2;
  }
  return std::abs(offset) < fastest ? 0 : offset;
}

/// The slices of a lane as bytes, for processes of the same program.
class SliceBytes {
 public:
  [[nodiscard]] static std::string of(const Lane& lane) {
    std::string out;
    for (const Lane::Slice& slice : lane.slices()) {
      const Head head{nanoseconds(slice.begin), nanoseconds(slice.end), slice.bytes,          slice.flop,
                      slice.awaited_by,         slice.name.size(),      slice.category.size()};
      out.append(reinterpret_cast<const char*>(&head), sizeof head);
      out += slice.name;
      out += slice.category;
    }
    return out;
  }

  /// Adds the slices to the lane, with `offset` nanoseconds subtracted from their times.
  static void add(const std::string& bytes, std::int64_t offset, Lane& lane) {
    for (std::size_t at = 0; at < bytes.size();) {
      Head head;
      std::memcpy(&head, bytes.data() + at, sizeof head);
      at += sizeof head;
      const auto time = [offset](std::int64_t count) {
        return Clock::time_point(std::chrono::nanoseconds(count - offset));
      };
      lane.add({bytes.substr(at, head.name), bytes.substr(at + head.name, head.category), time(head.begin),
                time(head.end), head.bytes, head.flop, head.awaited_by});
      at += head.name + head.category;
    }
  }

 private:
  struct Head {
    std::int64_t begin, end;
    Index bytes;
    double flop;
    int awaited_by;
    std::size_t name, category;
  };
};

}  // namespace detail

/// Adds the slices of all ranks' traces to rank 0's. Every rank calls it with a trace that holds its own
/// lane. Clocks of other hosts are compared by round trips.
template <SendReceive W>
void gather_trace(W& world, Trace& trace) {
  typename W::Queue queue;  // without a lane, so that these messages are not traced
  if (world.rank() != 0) {
    detail::clock_offset(world, queue, 0);
    const std::string bytes = detail::SliceBytes::of(trace.lane(world.rank()));
    auto size = static_cast<Index>(bytes.size());
    detail::send_bytes(world, queue, &size, sizeof size, 0);
    detail::send_bytes(world, queue, bytes.data(), size, 0);
    return;
  }
  for (int peer = 1; peer < world.size(); ++peer) {
    const std::int64_t offset = detail::clock_offset(world, queue, peer);
    Index size = 0;
    detail::receive_bytes(world, queue, &size, sizeof size, peer);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    detail::receive_bytes(world, queue, bytes.data(), size, peer);
    detail::SliceBytes::add(bytes, offset, trace.lane(peer));
  }
}

}  // namespace weft::inline v0_1
