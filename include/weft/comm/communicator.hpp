// One concept a collective. Each is posted on a queue and done when its event is waited for, which must not
// be dropped; counts may be uneven, and messages between two members match in the order in which they are
// posted.
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/comm/strided_bytes.hpp"

namespace weft {

/// Messages and bytes that one rank has sent over the communicators of one name.
struct Traffic {
  Index calls = 0;
  Index bytes = 0;
};

using TrafficByName = std::map<std::string, Traffic, std::less<>>;

/// What every communicator has: a numbered place among its members, and waiting.
template <class C>
concept Member = requires(C& c, typename C::Queue& queue, typename C::Event& event) {
  { c.rank() } -> std::same_as<int>;
  { c.size() } -> std::same_as<int>;
  { c.wait(queue, event) } -> std::same_as<void>;
};

/// All members but the caller, in order.
template <class C>
std::vector<int> others(const C& communicator) {
  std::vector<int> out;
  for (int member = 0; member < communicator.size(); ++member)
    if (member != communicator.rank()) out.push_back(member);
  return out;
}

/// A block to or from one member.
template <class C>
concept SendReceive = Member<C> &&
    requires(C& c, typename C::Queue& queue, const StridedBytes& piece, int peer) {
  { c.send(queue, piece, peer) } -> std::same_as<typename C::Event>;
  { c.receive(queue, piece, peer) } -> std::same_as<typename C::Event>;
};

/// Sends and receives any set of pieces; messages of a pair match in posting order; never to oneself.
template <class C>
concept AllToAll = Member<C> && requires(C& c, typename C::Queue& queue, std::span<const Addressed> pieces) {
  { c.all_to_all(queue, pieces, pieces) } -> std::same_as<typename C::Event>;
};

/// `blocks[i]` is of member i: one's own is sent to all, the others are received.
template <class C>
concept AllGather = Member<C> &&
    requires(C& c, typename C::Queue& queue, std::span<const StridedBytes> pieces) {
  { c.all_gather(queue, pieces) } -> std::same_as<typename C::Event>;
};

/// Sums in place, in the order of the members, so that all get the same bits.
template <class C>
concept AllReduce = Member<C> && requires(C& c, typename C::Queue& queue, const View<double, 1>& values) {
  { c.all_reduce(queue, values) } -> std::same_as<void>;
};

/// A communicator of some of the members, called together by those, in the same order.
template <class C>
concept Split = requires(C& c, std::string_view name, const std::vector<int>& members) {
  { c.split(name, members) } -> std::same_as<C>;
};

/// Beyond that, where `pushes()`, members store into each other's memory. All members make these calls
/// together, in the same order. `exchange_pointers` returns every member's pointers, which stay good as long
/// as the memory does; it orders nothing on devices. `barrier` orders what is queued next behind what all
/// members have queued before. `pushed` is a barrier after stores, and counts them.
template <class C>
concept Push = Member<C> &&
    requires(C& c, typename C::Queue& queue, const std::vector<void*>& memory, const Traffic& sent) {
  { c.pushes() } -> std::same_as<bool>;
  { c.exchange_pointers(queue, memory) } -> std::same_as<std::vector<std::vector<void*>>>;
  { c.barrier(queue) } -> std::same_as<void>;
  { c.pushed(queue, sent) } -> std::same_as<void>;
};

/// Takes memory for messages before they come: of at most `bytes` a call from each of `senders`, and `ahead`
/// of them that are posted before the first is waited for. All members call it at the same time.
template <class C>
concept Reserve = Member<C> && requires(C& c, const std::vector<int>& senders, Index bytes, int ahead) {
  c.reserve(senders, bytes, ahead);
};

/// The same for any communicator; most need none.
template <Member C>
void reserve(C& communicator, const std::vector<int>& senders, Index bytes, int ahead = 2) {
  if constexpr (Reserve<C>) communicator.reserve(senders, bytes, ahead);
}

/// An all-reduce by an all-gather, for communicators of queues on the host.
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

}  // namespace weft
