// The collectives of ranks that are threads, at several numbers of ranks.
#include "weft/comm/threads.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "collectives.hpp"
#include "weft/comm/launch.hpp"

using weft::launch;
using weft::threads::World;
using Queue = weft::host::Queue;
using Event = weft::threads::Event;
using Numbers = std::vector<int>;

namespace {

constexpr int worlds[] = {1, 2, 3, 5, 8};

std::vector<int> everybody(int ranks) {
  std::vector<int> out(static_cast<std::size_t>(ranks));
  std::iota(out.begin(), out.end(), 0);
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

TEST_CASE("launch: returns what its body has returned on rank 0") {
  const auto numbers = launch(3, [](World& world) { return std::make_unique<int>(7 - world.rank()); });
  CHECK(*numbers == 7);
}

TEST_CASE("launch: the ranks share the threads") {
  launch(3, [](World& world) { CHECK(world.workers() == 2); }, {.threads = 7});
  launch(3, [](World& world) { CHECK(world.workers() == 1); }, {.threads = 2});
  CHECK_THROWS_WITH_AS(launch(3, [](World&) {}, {.threads = -1}),
                       doctest::Contains("is to use -1 threads; use 1 or more, or 0"), weft::InvalidArgument);
}

TEST_CASE("threads: every collective, at any number of ranks") {
  for (const int ranks : worlds)
    launch(ranks, [](World& world) {
      collectives::keep_order(world);
      collectives::exchange_all(world);
      collectives::gather_all(world);
      collectives::reduce_all(world);
    });
}

TEST_CASE("threads: a message between pieces of different strides") {
  launch(2, collectives::send_strided<World>);
}

TEST_CASE("threads: splits have ranks of their own, and splits of splits too") {
  launch(8, collectives::split_twice<World>);
}

TEST_CASE("threads: communicators of the same ranks keep their messages apart") {
  launch(2, [](World& world) { collectives::keep_apart(world, "one", "two"); });
}

TEST_CASE("threads: traffic counts what was sent, by name") { launch(3, collectives::count_traffic<World>); }

TEST_CASE("threads: what members store into each other's memory is there after the barrier, and counted") {
  for (const int ranks : worlds)
    launch(ranks, [ranks](World& world) {
      auto group = world.split("stores", everybody(ranks));
      Queue queue;
      Numbers memory(static_cast<std::size_t>(ranks));
      const auto all = group.exchange_pointers(queue, {nullptr, memory.data()});
      for (int time = 1; time <= 20; ++time) {
        group.barrier(queue);  // all have read the numbers of the time before
        for (const std::vector<void*>& theirs : all)
          static_cast<int*>(theirs.back())[world.rank()] = 100 * time + world.rank();
        group.pushed(queue, {1, 4});
        for (int member = 0; member < ranks; ++member)
          CHECK(memory[static_cast<std::size_t>(member)] == 100 * time + member);
      }
      CHECK(group.traffic().at("stores").bytes == 20 * 4);
    });
}

TEST_CASE("threads: a dropped event cancels its receive") { launch(2, collectives::drop_receive<World>); }

TEST_CASE("threads: sending and waiting are slices of the trace") {
  weft::Trace trace(2);
  launch(2,
         [](World& world) {
           Queue queue(1, world.lane());
           Numbers numbers(3);
           Event event = world.rank() == 0 ? world.send(queue, collectives::bytes_of(numbers), 1)
                                           : world.receive(queue, collectives::bytes_of(numbers), 0);
           world.wait(queue, event);
         },
         {.trace = &trace});
  const auto& sent = trace.lane(0).slices().at(0);
  CHECK(std::string(sent.category) == "send");
  CHECK(sent.name == "world 1");
  CHECK(sent.bytes == 12);
  CHECK(std::string(trace.lane(1).slices().at(0).category) == "receive");
}
