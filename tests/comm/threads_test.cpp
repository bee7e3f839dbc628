// The collectives of ranks that are threads, at several numbers of ranks.
#include "weft/comm/threads.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "weft/comm/launch.hpp"

using weft::Addressed;
using weft::Block;
using weft::Index;
using weft::launch;
using weft::View;
using weft::threads::World;
using Queue = weft::host::Queue;
using Event = weft::threads::Event;
using Numbers = std::vector<int>;

namespace {

constexpr int worlds[] = {1, 2, 3, 5, 8};

Block block_of(Numbers& numbers) {
  return View<int, 1>(numbers.data(), {static_cast<Index>(numbers.size())});
}

Numbers message(int from, int to, int size) {
  Numbers out;
  for (int i = 0; i < size; ++i) out.push_back(1000 * from + 100 * to + i);
  return out;
}

}  // namespace

TEST_CASE("launch: runs every rank once") {
  for (const int ranks : worlds) {
    Numbers runs(static_cast<std::size_t>(ranks));
    launch(ranks, [&](World& world) {
      CHECK(world.size() == ranks);
      ++runs[static_cast<std::size_t>(world.rank())];
    });
    CHECK(runs == Numbers(runs.size(), 1));
  }
}

TEST_CASE("launch: the ranks share the threads") {
  launch(3, [](World& world) { CHECK(world.workers() == 2); }, {.threads = 7});
  launch(3, [](World& world) { CHECK(world.workers() == 1); }, {.threads = 2});
}

TEST_CASE("threads: messages between two ranks arrive in order, whoever comes first") {
  for (const int ranks : worlds)
    launch(ranks, [&](World& world) {
      Queue queue;
      const int next = (world.rank() + 1) % ranks, previous = (world.rank() + ranks - 1) % ranks;
      std::vector<Numbers> out, in;
      for (int size = 1; size <= 4; ++size) {
        out.push_back(message(world.rank(), next, size));
        in.emplace_back(size);
      }
      std::vector<Event> events;
      const bool sends_first = world.rank() % 2 == 0;
      for (int pass = 0; pass < 2; ++pass)
        for (std::size_t i = 0; i < in.size(); ++i)
          events.push_back((pass == 0) == sends_first ? world.send(queue, block_of(out[i]), next)
                                                      : world.receive(queue, block_of(in[i]), previous));
      for (Event& event : events) world.wait(queue, event);
      for (int size = 1; size <= 4; ++size)
        CHECK(in[static_cast<std::size_t>(size - 1)] == message(previous, world.rank(), size));
    });
}

TEST_CASE("threads: all_to_all with uneven counts, some of them zero") {
  const auto size = [](int from, int to) { return (from + 2 * to) % 4; };
  for (const int ranks : worlds)
    launch(ranks, [&](World& world) {
      Queue queue;
      const int self = world.rank();
      std::vector<Numbers> out, in;
      for (int peer = 0; peer < ranks; ++peer) {
        out.push_back(message(self, peer, size(self, peer)));
        in.emplace_back(size(peer, self));
      }
      std::vector<Addressed> sends, receives;
      for (int peer = 0; peer < ranks; ++peer) {
        if (peer == self) continue;
        sends.push_back({peer, block_of(out[static_cast<std::size_t>(peer)])});
        receives.push_back({peer, block_of(in[static_cast<std::size_t>(peer)])});
      }
      Event event = world.all_to_all(queue, sends, receives);
      world.wait(queue, event);
      for (int peer = 0; peer < ranks; ++peer)
        if (peer != self) CHECK(in[static_cast<std::size_t>(peer)] == message(peer, self, size(peer, self)));
    });
}

TEST_CASE("threads: a message between blocks of different strides") {
  launch(2, [](World& world) {
    Queue queue;
    Numbers numbers(24, -1);
    const View<int, 2> x(numbers.data(), {4, 6});
    if (world.rank() == 0) {
      for (int i = 0; i < 24; ++i) numbers[static_cast<std::size_t>(i)] = i;
      Event event = world.send(queue, x.slice<1>({2, 4}), 1);
      world.wait(queue, event);
    } else {
      Event event = world.receive(queue, x.slice<0>({1, 3}).slice<1>({1, 5}), 0);
      world.wait(queue, event);
      CHECK(numbers == Numbers{-1, -1, -1, -1, -1, -1, -1, 2,  3,  8,  9,  -1,
                               -1, 14, 15, 20, 21, -1, -1, -1, -1, -1, -1, -1});
    }
  });
}

TEST_CASE("threads: all_gather with uneven counts") {
  for (const int ranks : worlds)
    launch(ranks, [&](World& world) {
      Queue queue;
      std::vector<Numbers> parts;
      std::vector<Block> blocks;
      for (int member = 0; member < ranks; ++member)
        parts.push_back(member == world.rank() ? message(member, 0, member % 3) : Numbers(member % 3));
      for (Numbers& part : parts) blocks.push_back(block_of(part));
      Event event = world.all_gather(queue, blocks);
      world.wait(queue, event);
      for (int member = 0; member < ranks; ++member)
        CHECK(parts[static_cast<std::size_t>(member)] == message(member, 0, member % 3));
    });
}

TEST_CASE("threads: all_reduce gives all the same bits, those of a sum in the order of the ranks") {
  for (const int ranks : worlds) {
    const auto term = [](int rank, Index i) {
      return 1.0 / (3 + rank) * (i % 2 ? 1e16 : 1e-16) * (rank % 2 ? -1 : 1);
    };
    std::vector<double> expected(5);
    for (Index i = 0; i < 5; ++i)
      for (int rank = 0; rank < ranks; ++rank) expected[static_cast<std::size_t>(i)] += term(rank, i);
    launch(ranks, [&](World& world) {
      Queue queue;
      std::vector<double> values;
      for (Index i = 0; i < 5; ++i) values.push_back(term(world.rank(), i));
      world.all_reduce(queue, View<double, 1>(values.data(), {5}));
      CHECK(values == expected);
      world.all_reduce(queue, View<double, 1>());
    });
  }
}

TEST_CASE("threads: splits have places of their own, and splits of splits too") {
  launch(8, [](World& world) {
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
  });
}

TEST_CASE("threads: communicators of the same ranks keep their messages apart") {
  launch(2, [](World& world) {
    Queue queue;
    auto one = world.split("one", {0, 1}), two = world.split("two", {0, 1});
    int first = world.rank() == 0 ? 1 : 0, second = world.rank() == 0 ? 2 : 0;
    const Block a = View<int, 1>(&first, {1}), b = View<int, 1>(&second, {1});
    Event events[2];
    if (world.rank() == 0) {
      events[0] = one.send(queue, a, 1), events[1] = two.send(queue, b, 1);
    } else {
      events[0] = two.receive(queue, b, 0), events[1] = one.receive(queue, a, 0);
    }
    one.wait(queue, events[0]), two.wait(queue, events[1]);
    CHECK(first == 1);
    CHECK(second == 2);
  });
}

TEST_CASE("threads: traffic counts what was sent, by name") {
  launch(3, [](World& world) {
    Queue queue;
    auto group = world.split("ring", {0, 1, 2});
    Numbers out(5), in(5);
    const Block sent = block_of(out), received = block_of(in);
    for (int i = 0; i < 2; ++i) {
      Event events[] = {group.send(queue, sent, (group.rank() + 1) % 3),
                        group.receive(queue, received, (group.rank() + 2) % 3)};
      for (Event& event : events) group.wait(queue, event);
    }
    std::vector<double> values(4);
    world.all_reduce(queue, View<double, 1>(values.data(), {4}));
    Event nothing = group.send(queue, Block(), (group.rank() + 1) % 3);
    group.wait(queue, nothing);
    CHECK(world.traffic().size() == 2);
    CHECK(world.traffic().at("ring").calls == 2);
    CHECK(world.traffic().at("ring").bytes == 40);
    CHECK(world.traffic().at("world").calls == 2);
    CHECK(world.traffic().at("world").bytes == 64);
  });
}

TEST_CASE("threads: sending and waiting are slices of the trace") {
  weft::Trace trace(2);
  launch(2,
         [](World& world) {
           Queue queue(1, world.lane());
           Numbers numbers(3);
           Event event = world.rank() == 0 ? world.send(queue, block_of(numbers), 1)
                                           : world.receive(queue, block_of(numbers), 0);
           world.wait(queue, event);
         },
         {.trace = &trace});
  const auto& sent = trace.lane(0).slices().at(0);
  CHECK(std::string(sent.category) == "send");
  CHECK(sent.name == "world 1");
  CHECK(sent.bytes == 12);
  CHECK(std::string(trace.lane(1).slices().at(0).category) == "receive");
}
