// Checks of the collectives of any communicator on the host. Every rank of the world calls each function.
#pragma once

#include <doctest/doctest.h>

#include <vector>

#include "weft/backend/host/queue.hpp"
#include "weft/comm/communicator.hpp"
#include "weft/comm/world.hpp"

namespace collectives {

using weft::Addressed;
using weft::Index;
using weft::StridedBytes;
using weft::View;
using Queue = weft::host::Queue;
using Numbers = std::vector<int>;
template <class World>
using Event = typename World::Communicator::Event;

inline StridedBytes bytes_of(Numbers& numbers) {
  return View<int, 1>(numbers.data(), {static_cast<Index>(numbers.size())});
}

inline Numbers message(int from, int to, int size) {
  Numbers out;
  for (int i = 0; i < size; ++i) out.push_back(1000 * from + 100 * to + i);
  return out;
}

/// Checks that messages between two ranks arrive in order, whichever side posts first.
template <weft::World World>
void keep_order(World& world) {
  Queue queue;
  const int ranks = world.size(), next = (world.rank() + 1) % ranks,
            previous = (world.rank() + ranks - 1) % ranks;
  std::vector<Numbers> out, in;
  for (int size = 1; size <= 4; ++size) {
    out.push_back(message(world.rank(), next, size));
    in.emplace_back(size);
  }
  std::vector<Event<World>> events;
  const bool sends_first = world.rank() % 2 == 0;
  for (int pass = 0; pass < 2; ++pass)
    for (std::size_t i = 0; i < in.size(); ++i)
      events.push_back((pass == 0) == sends_first ? world.send(queue, bytes_of(out[i]), next)
                                                  : world.receive(queue, bytes_of(in[i]), previous));
  for (Event<World>& event : events) world.wait(queue, event);
  for (int size = 1; size <= 4; ++size)
    CHECK(in[static_cast<std::size_t>(size - 1)] == message(previous, world.rank(), size));
}

/// Checks an all-to-all of uneven counts, some of them zero.
template <weft::World World>
void exchange_all(World& world) {
  Queue queue;
  const int ranks = world.size(), self = world.rank();
  const auto size = [](int from, int to) { return (from + 2 * to) % 4; };
  std::vector<Numbers> out, in;
  for (int peer = 0; peer < ranks; ++peer) {
    out.push_back(message(self, peer, size(self, peer)));
    in.emplace_back(size(peer, self));
  }
  std::vector<Addressed> sends, receives;
  for (int peer = 0; peer < ranks; ++peer) {
    if (peer == self) continue;
    sends.push_back({peer, bytes_of(out[static_cast<std::size_t>(peer)])});
    receives.push_back({peer, bytes_of(in[static_cast<std::size_t>(peer)])});
  }
  auto event = world.all_to_all(queue, sends, receives);
  world.wait(queue, event);
  for (int peer = 0; peer < ranks; ++peer)
    if (peer != self) CHECK(in[static_cast<std::size_t>(peer)] == message(peer, self, size(peer, self)));
}

/// Checks a message between pieces of different strides, from rank 0 to rank 1.
template <weft::World World>
void send_strided(World& world) {
  Queue queue;
  Numbers numbers(24, -1);
  const View<int, 2> x(numbers.data(), {4, 6});
  if (world.rank() == 0) {
    for (int i = 0; i < 24; ++i) numbers[static_cast<std::size_t>(i)] = i;
    auto event = world.send(queue, x.slice<1>({2, 4}), 1);
    world.wait(queue, event);
  } else if (world.rank() == 1) {
    auto event = world.receive(queue, x.slice<0>({1, 3}).slice<1>({1, 5}), 0);
    world.wait(queue, event);
    CHECK(numbers == Numbers{-1, -1, -1, -1, -1, -1, -1, 2,  3,  8,  9,  -1,
                             -1, 14, 15, 20, 21, -1, -1, -1, -1, -1, -1, -1});
  }
}

/// Checks an all-gather of uneven counts.
template <weft::World World>
void gather_all(World& world) {
  Queue queue;
  std::vector<Numbers> parts;
  std::vector<StridedBytes> pieces;
  for (int member = 0; member < world.size(); ++member)
    parts.push_back(member == world.rank() ? message(member, 0, member % 3) : Numbers(member % 3));
  for (Numbers& part : parts) pieces.push_back(bytes_of(part));
  auto event = world.all_gather(queue, pieces);
  world.wait(queue, event);
  for (int member = 0; member < world.size(); ++member)
    CHECK(parts[static_cast<std::size_t>(member)] == message(member, 0, member % 3));
}

/// Checks that all ranks get the same bits, those of a sum in the order of the ranks.
template <weft::World World>
void reduce_all(World& world) {
  Queue queue;
  const auto term = [](int rank, Index i) {
    return 1.0 / (3 + rank) * (i % 2 ? 1e16 : 1e-16) * (rank % 2 ? -1 : 1);
  };
  std::vector<double> expected(5), values;
  for (Index i = 0; i < 5; ++i)
    for (int rank = 0; rank < world.size(); ++rank) expected[static_cast<std::size_t>(i)] += term(rank, i);
  for (Index i = 0; i < 5; ++i) values.push_back(term(world.rank(), i));
  world.all_reduce(queue, View<double, 1>(values.data(), {5}));
  CHECK(values == expected);
  world.all_reduce(queue, View<double, 1>());
}

/// Checks the ranks of splits, and of splits of splits. Called by 8 ranks.
template <weft::World World>
void split_twice(World& world) {
  Queue queue;
  const int row = world.rank() / 4, column = world.rank() % 4;
  std::vector<int> rows;
  for (int i = 0; i < 4; ++i) rows.push_back(4 * row + i);
  auto in_row = world.split("row", rows);
  auto pair = in_row.split("pair", {column / 2 * 2, column / 2 * 2 + 1});
  auto in_column = world.split("column", {column + 4, column});
  CHECK(in_row.size() == 4);
  CHECK(in_row.rank() == column);
  CHECK(pair.rank() == column % 2);
  CHECK(in_column.rank() == 1 - row);
  const auto sum = [&](auto& communicator) {
    double value = world.rank();
    communicator.all_reduce(queue, View<double, 1>(&value, {1}));
    return value;
  };
  CHECK(sum(in_row) == 16 * row + 6);
  CHECK(sum(in_column) == 2 * column + 4);
  CHECK(sum(pair) == 8 * row + 2 * (column / 2 * 2) + 1);
}

/// Checks that communicators of the same ranks keep their messages apart. Called by 2 ranks.
template <weft::World World>
void keep_apart(World& world, const char* first_name, const char* second_name) {
  Queue queue;
  auto one = world.split(first_name, {0, 1}), two = world.split(second_name, {0, 1});
  int first = world.rank() == 0 ? 1 : 0, second = world.rank() == 0 ? 2 : 0;
  const StridedBytes a = View<int, 1>(&first, {1}), b = View<int, 1>(&second, {1});
  Event<World> events[2];
  if (world.rank() == 0) {
    events[0] = one.send(queue, a, 1);
    events[1] = two.send(queue, b, 1);
  } else {
    events[0] = two.receive(queue, b, 0);
    events[1] = one.receive(queue, a, 0);
  }
  one.wait(queue, events[0]);
  two.wait(queue, events[1]);
  CHECK(first == 1);
  CHECK(second == 2);
}

/// Checks that traffic counts what was sent, by name. Called by 3 ranks that have sent nothing over a "ring".
template <weft::World World>
void count_traffic(World& world) {
  const auto earlier = world.traffic();
  const weft::Traffic before = earlier.contains("world") ? earlier.at("world") : weft::Traffic();
  Queue queue;
  auto group = world.split("ring", {0, 1, 2});
  Numbers out(5), in(5);
  const StridedBytes sent = bytes_of(out), received = bytes_of(in);
  for (int i = 0; i < 2; ++i) {
    Event<World> events[] = {group.send(queue, sent, (group.rank() + 1) % 3),
                             group.receive(queue, received, (group.rank() + 2) % 3)};
    for (Event<World>& event : events) group.wait(queue, event);
  }
  std::vector<double> values(4);
  world.all_reduce(queue, View<double, 1>(values.data(), {4}));
  auto nothing = group.send(queue, StridedBytes(), (group.rank() + 1) % 3);
  group.wait(queue, nothing);
  CHECK(world.traffic().at("ring").calls == 2);
  CHECK(world.traffic().at("ring").bytes == 40);
  CHECK(world.traffic().at("world").calls == before.calls + 2);
  CHECK(world.traffic().at("world").bytes == before.bytes + 64);
}

/// Posts two sides of a message that differ in size, which is an error of the receiver, or of both. Called by
/// 2 ranks.
template <weft::World World>
void receive_too_much(World& world) {
  Queue queue;
  Numbers numbers(3);
  auto event = world.rank() == 0 ? world.send(queue, View<int, 1>(numbers.data(), {2}), 1)
                                 : world.receive(queue, View<int, 1>(numbers.data(), {3}), 0);
  world.wait(queue, event);
}

/// Checks that a dropped event cancels its receive. Called by 2 ranks.
template <weft::World World>
void drop_receive(World& world) {
  Queue queue;
  Numbers dropped{-1}, kept{-1}, number{7};
  double nothing = 0;
  const auto barrier = [&] {
    world.split("barrier", {0, 1}).all_reduce(queue, View<double, 1>(&nothing, {1}));
  };
  if (world.rank() == 0) {
    { const auto event = world.receive(queue, bytes_of(dropped), 1); }
    barrier();
    auto event = world.receive(queue, bytes_of(kept), 1);
    world.wait(queue, event);
    CHECK(dropped == Numbers{-1});
    CHECK(kept == Numbers{7});
  } else {
    barrier();
    auto event = world.send(queue, bytes_of(number), 0);
    world.wait(queue, event);
  }
}

}  // namespace collectives
