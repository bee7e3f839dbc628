// Concepts of communicators, one for each collective. A collective is posted on a queue and returns an event;
// it is complete for what is queued after `wait` on that event. Counts may be uneven, and messages between
// two members match in the order in which they are posted.
//
// Memory that was posted must stay valid until its event was waited for. An event must not outlive its
// communicator, nor that the world from which it was split. A communicator and its events belong to one
// thread. After an exception from any of its members a communicator must not be used again.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/comm/strided_bytes.hpp"

namespace weft::inline v0_1 {

/// Messages and bytes that one rank has sent over the communicators of one name.
struct Traffic {
  Index calls = 0;
  Index bytes = 0;

  constexpr Traffic& operator+=(const Traffic& more) {
    calls += more.calls;
    bytes += more.bytes;
    return *this;
  }
};

using TrafficByName = std::map<std::string, Traffic, std::less<>>;

/// The part of every communicator: a rank among its members, and waiting for events.
template <class C>
concept Member = requires(C& c, typename C::Queue& queue, typename C::Event& event) {
  { c.rank() } -> std::same_as<int>;
  { c.size() } -> std::same_as<int>;
  { c.wait(queue, event) } -> std::same_as<void>;
};

/// Returns all members but the caller, in order.
template <class C>
[[nodiscard]] std::vector<int> others(const C& communicator) {
  std::vector<int> out;
  for (int member = 0; member < communicator.size(); ++member)
    if (member != communicator.rank()) out.push_back(member);
  return out;
}

/// Sends a piece to one member, or receives one.
template <class C>
concept SendReceive = Member<C> &&
    requires(C& c, typename C::Queue& queue, const StridedBytes& piece, int peer) {
  { c.send(queue, piece, peer) } -> std::same_as<typename C::Event>;
  { c.receive(queue, piece, peer) } -> std::same_as<typename C::Event>;
};

/// Sends and receives any set of pieces; no piece is for the caller itself.
template <class C>
concept AllToAll = Member<C> && requires(C& c, typename C::Queue& queue, std::span<const Addressed> pieces) {
  { c.all_to_all(queue, pieces, pieces) } -> std::same_as<typename C::Event>;
};

/// Gathers `pieces[i]` from member i on all members: the caller's own piece is sent, the others are received.
template <class C>
concept AllGather = Member<C> &&
    requires(C& c, typename C::Queue& queue, std::span<const StridedBytes> pieces) {
  { c.all_gather(queue, pieces) } -> std::same_as<typename C::Event>;
};

/// Sums in place, in the order of the members, so that all get the same bits; returns when what is queued
/// next sees the sums.
template <class C>
concept AllReduce = Member<C> && requires(C& c, typename C::Queue& queue, const View<double, 1>& values) {
  { c.all_reduce(queue, values) } -> std::same_as<void>;
};

/// Makes a communicator of some of the members, in the given order. All of these call it.
template <class C>
concept Split = requires(C& c, std::string_view name, const std::vector<int>& members) {
  { c.split(name, members) } -> std::same_as<C>;
};

/// Lets members store into each other's memory, where `pushes()` is true. All members make these calls
/// together, in the same order. `exchange_pointers` returns every member's pointers, which are valid as long
/// as the memory; it orders nothing on devices. `barrier` orders what is queued next after what all members
/// have queued before. `pushed` is a barrier after stores, and counts them.
template <class C>
concept Push = Member<C> &&
    requires(C& c, typename C::Queue& queue, const std::vector<void*>& memory, const Traffic& sent) {
  { c.pushes() } -> std::same_as<bool>;
  { c.exchange_pointers(queue, memory) } -> std::same_as<std::vector<std::vector<void*>>>;
  { c.barrier(queue) } -> std::same_as<void>;
  { c.pushed(queue, sent) } -> std::same_as<void>;
};

/// Returns whether members may store into each other's memory.
template <Member C>
bool pushes(const C& communicator) {
  if constexpr (Push<C>) return communicator.pushes();
  return false;
}

/// Allocates receive buffers ahead of time: for at most `bytes` a call from each of `senders`, and up to
/// `ahead` receives that are posted before the first is waited for. All members call it at the same time.
template <class C>
concept Reserve = Member<C> && requires(C& c, const std::vector<int>& senders, Index bytes, int ahead) {
  c.reserve(senders, bytes, ahead);
};

/// Reserves receive buffers where the communicator has any.
template <Member C>
void reserve(C& communicator, const std::vector<int>& senders, Index bytes, int ahead = 2) {
  if constexpr (Reserve<C>) communicator.reserve(senders, bytes, ahead);
}

/// Sums over all members by an all-gather, for communicators whose queues run on the host.
template <AllGather C>
void sum_in_order(C& communicator, typename C::Queue& queue, const View<double, 1>& values) {
  const int size = communicator.size();
  std::vector<double> all(static_cast<std::size_t>(values.size() * size));
  const View<double, 2> rows(all.data(), {size, values.size()});
  std::copy_n(values.data, values.size(), rows[communicator.rank()].data);
  std::vector<StridedBytes> pieces;
  for (int member = 0; member < size; ++member) pieces.emplace_back(rows[member]);
  auto event = communicator.all_gather(queue, pieces);
  communicator.wait(queue, event);
  for (Index i = 0; i < values.size(); ++i) {
    values[i] = 0;
    for (int member = 0; member < size; ++member) values[i] += rows[member][i];
  }
}

template <class C>
concept Communicator = SendReceive<C> && AllToAll<C> && AllGather<C> && AllReduce<C> && Split<C>;

}  // namespace weft::inline v0_1
