// Any failure of one rank ends all of them, with its message and within a second.
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "few_threads.hpp"
#include "weft/comm/launch.hpp"

using doctest::Contains;
using weft::InvalidArgument;
using weft::launch;
using weft::View;
using weft::threads::World;
using Queue = weft::host::Queue;
using Event = weft::threads::Event;

namespace {

constexpr int sizes[] = {2, 3, 5, 8};

weft::StridedBytes bytes_of(int& number) { return View<int, 1>(&number, {1}); }

/// Waits for all ranks.
void barrier(World& world, const char* name = "barrier") {
  Queue queue;
  std::vector<int> all;
  for (int rank = 0; rank < world.size(); ++rank) all.push_back(rank);
  double nothing = 0;
  world.split(name, all).all_reduce(queue, View<double, 1>(&nothing, {1}));
}

void receive_from(World& world, int peer) {
  Queue queue;
  int number = 0;
  Event event = world.receive(queue, bytes_of(number), peer);
  world.wait(queue, event);
}

/// Checks that the body takes less than a second.
template <class Body>
void soon(Body body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
}

}  // namespace

TEST_CASE("launch: an exception in one rank ends those that wait for it, and names the rank") {
  for (const int ranks : sizes)
    for (const int culprit : {0, ranks - 1})
      soon([&] {
        const auto body = [&](World& world) {
          barrier(world);
          if (world.rank() == culprit) throw std::runtime_error("boom");
          receive_from(world, culprit);
        };
        CHECK_THROWS_WITH_AS(launch(ranks, body), ("rank " + std::to_string(culprit) + ": boom").c_str(),
                             std::runtime_error);
      });
}

TEST_CASE("launch: it also ends ranks that wait for another rank, and those that post later") {
  soon([] {
    const auto body = [](World& world) {
      if (world.rank() == 0) throw std::runtime_error("boom");
      if (world.rank() == 3) {
        barrier(world);
      } else {
        receive_from(world, world.rank() % 2 + 1);
      }
    };
    CHECK_THROWS_WITH_AS(launch(4, body), "rank 0: boom", std::runtime_error);
  });
}

TEST_CASE("launch: an InvalidArgument stays one, and its sentence stays as it is") {
  for (const int ranks : {1, 2, 5})
    soon([&] {
      const auto body = [&](World& world) {
        if (world.rank() == ranks - 1) weft::reject("steps is ", 0);
        receive_from(world, ranks - 1);
      };
      CHECK_THROWS_WITH_AS(launch(ranks, body), "steps is 0", InvalidArgument);
    });
}

TEST_CASE("launch: a single rank's exception comes through as it is") {
  CHECK_THROWS_WITH_AS(launch(1, [](World&) { throw std::out_of_range("far"); }), "far", std::out_of_range);
  CHECK_THROWS_AS(launch(2, [](World&) { throw 7; }), int);
}

TEST_CASE("launch: a rank that ends while another waits for it is an error, whichever happens first") {
  for (const int ranks : sizes)
    for (const bool late : {false, true})
      soon([&] {
        const auto body = [&](World& world) {
          if (world.rank() == 0) return;
          if (late) std::this_thread::sleep_for(std::chrono::milliseconds(20));
          if (world.rank() == 1) receive_from(world, 0);
        };
        CHECK_THROWS_WITH_AS(
            launch(ranks, body),
            Contains("rank 0 has ended, and rank 1 still has a message of world for it or from it"),
            std::runtime_error);
      });
}

TEST_CASE("launch: a message that is never received is an error") {
  soon([] {
    const auto body = [](World& world) {
      if (world.rank() != 0) return;
      Queue queue;
      int number = 0;
      Event event = world.send(queue, bytes_of(number), 1);
      world.wait(queue, event);
    };
    CHECK_THROWS_WITH_AS(launch(2, body), Contains("rank 1 has ended, and rank 0"), std::runtime_error);
  });
}

TEST_CASE("launch: two sides of a message that differ in size are an error") {
  for (const int first : {0, 1})
    soon([&] {
      const auto body = [&](World& world) {
        Queue queue;
        std::vector<int> numbers(3);
        if (world.rank() != first) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        Event event = world.rank() == 0 ? world.send(queue, View<int, 1>(numbers.data(), {2}), 1)
                                        : world.receive(queue, View<int, 1>(numbers.data(), {3}), 0);
        world.wait(queue, event);
      };
      const std::string sizes = first == 0 ? "has 12 bytes on one side and 8 on the other"
                                           : "has 8 bytes on one side and 12 on the other";
      CHECK_THROWS_WITH_AS(launch(2, body),
                           Contains(("a message of world from rank 0 to rank 1 " + sizes).c_str()),
                           std::runtime_error);
    });
}

TEST_CASE("launch: where a thread cannot be started, no rank begins, and the rank is named") {
  const std::string thrown = thrown_with_few_threads(20, [] {
    launch(64, [](World& world) {
      barrier(world);
      throw std::logic_error("a rank has begun");
    });
  });
  CAPTURE(thrown);
  CHECK(thrown.starts_with("rank "));
  CHECK(
      thrown.find(" of 64 cannot be started: Resource temporarily unavailable; raise the limit of threads") !=
      std::string::npos);
}

TEST_CASE("launch: a rank whose own threads cannot be started ends all ranks") {
  const std::string thrown = thrown_with_few_threads(20, [] {
    launch(3, [](World& world) {
      barrier(world);
      if (world.rank() == 1) const Queue queue(64);
      barrier(world);
    });
  });
  CAPTURE(thrown);
  CHECK(thrown.starts_with("rank 1: thread "));
  CHECK(thrown.find(" of the 64 of a rank cannot be started: Resource temporarily") != std::string::npos);
}

TEST_CASE("launch: sizes that cannot be threads are rejected") {
  const auto nothing = [](World&) {};
  CHECK_THROWS_WITH_AS(launch(0, nothing), Contains("a world of 0 ranks"), InvalidArgument);
  CHECK_THROWS_WITH_AS(launch(1025, nothing), Contains("1 to 1024 can"), InvalidArgument);
}

TEST_CASE("launch: a trace with fewer lanes than ranks is rejected") {
  weft::Trace trace(2);
  CHECK_THROWS_WITH_AS(launch(3, [](World&) {}, {.trace = &trace}), Contains("lanes for 2 ranks"),
                       InvalidArgument);
}

TEST_CASE("split: a rank that is not in the group is an error") {
  CHECK_THROWS_WITH_AS(launch(1, [](World& world) { (void)world.split("none", {}); }),
                       "a rank can only split off a group that it is in", std::logic_error);
}

TEST_CASE("split: a member that is none, or is one twice, is an error, and so is a message for it") {
  CHECK_THROWS_WITH_AS(launch(1,
                              [](World& world) {
                                (void)world.split("some", {0, 1});
                              }),
                       "there is no rank 1 in a group of 1", std::logic_error);
  CHECK_THROWS_WITH_AS(launch(1,
                              [](World& world) {
                                (void)world.split("some", {-1, 0});
                              }),
                       "there is no rank -1 in a group of 1", std::logic_error);
  CHECK_THROWS_WITH_AS(launch(1,
                              [](World& world) {
                                (void)world.split("some", {0, 0});
                              }),
                       "a group that is split off has rank 0 twice", std::logic_error);
  CHECK_THROWS_WITH_AS(launch(1, [](World& world) { receive_from(world, 1); }),
                       "there is no rank 1 in a group of 1", std::logic_error);
}

TEST_CASE("Event: replaced, it cancels its post as well, and moved, it keeps it") {
  launch(2, [](World& world) {
    Queue queue;
    int first = -1, second = -1, number = 7;
    if (world.rank() == 0) {
      Event event = world.receive(queue, bytes_of(first), 1);
      event = world.receive(queue, bytes_of(second), 1);
      Event moved = std::move(event);
      barrier(world);
      world.wait(queue, moved);
      CHECK(first == -1);
      CHECK(second == 7);
    } else {
      barrier(world);
      Event event = world.send(queue, bytes_of(number), 0);
      world.wait(queue, event);
    }
  });
}

TEST_CASE("Event: a rank that fails cancels its posts before its memory is freed") {
  soon([] {
    const auto body = [](World& world) {
      Queue queue;
      if (world.rank() == 0) {
        std::vector<int> short_lived(1000);
        const Event event = world.receive(queue, View<int, 1>(short_lived.data(), {1000}), 1);
        throw std::runtime_error("boom");
      }
      std::vector<int> numbers(1000, 1);
      Event event = world.send(queue, View<int, 1>(numbers.data(), {1000}), 0);
      world.wait(queue, event);
    };
    for (int i = 0; i < 20; ++i) CHECK_THROWS_WITH_AS(launch(2, body), "rank 0: boom", std::runtime_error);
  });
}
