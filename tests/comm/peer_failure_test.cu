// A failure of one of the ranks that are threads on CUDA devices ends all of them soon, with its message, and
// leaves the devices usable. WEFT_REPEAT sets how often each is tried.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"

using doctest::Contains;
using weft::Index;
using weft::InvalidArgument;
using weft::View;
using weft::cuda::Buffer;
using weft::cuda::Queue;
using weft::peer::World;

namespace {

constexpr int ranks = 4;

enum class Fate { none, raise, reject, memory };
enum class Loop { queued, recorded };

int repetitions() {
  const char* const text = std::getenv("WEFT_REPEAT");
  return text ? std::atoi(text) : 20;
}

/// Allocates memory until there is none.
[[noreturn]] void exhaust(Queue& queue) {
  std::vector<Buffer<char>> all;
  for (;;) all.emplace_back(queue, Index{1} << 32);
}

void fail(Fate fate, Queue& queue) {
  if (fate == Fate::raise) throw std::runtime_error("boom");
  if (fate == Fate::reject) weft::reject("steps is ", 0);
  if (fate == Fate::memory) exhaust(queue);
}

/// Every rank sends to its neighbour and reduces; the culprit fails while messages are in flight.
void work(World& world, Fate fate, Loop loop, int culprit) {
  Queue queue(world.lane(), world.recorder(), world.rank());
  std::vector<int> all(ranks);
  std::iota(all.begin(), all.end(), 0);
  auto group = world.split("ulysses", all);
  const int next = (world.rank() + 1) % ranks, previous = (world.rank() + ranks - 1) % ranks;
  const Buffer<int> out(queue, 4000), in(queue, 4000);
  const Buffer<double> sum(queue, 1);
  const auto numbers = [](const Buffer<int>& buffer) { return buffer.view(std::array{buffer.size()}); };
  const auto step = [&](Index number) {
    auto coming = group.receive(queue, numbers(in), previous);
    auto going = group.send(queue, numbers(out), next);
    if (number == 5 && world.rank() == culprit) fail(fate, queue);
    group.wait(queue, coming);
    group.wait(queue, going);
    group.all_reduce(queue, sum.view(std::array{Index{1}}));
  };
  if (loop == Loop::recorded) {
    const auto recording = queue.record(step, 5);
    for (Index i = 0; i < 3; ++i) queue.replay(recording, 5 + i);
  } else {
    for (Index i = 0; i < 10; ++i) step(i);
  }
  queue.synchronize();
}

void launch(Fate fate, Loop loop, int culprit) {
  weft::peer::launch(ranks, [fate, loop, culprit](World& world) { work(world, fate, loop, culprit); });
}

/// Lets every rank fail in turn.
template <class Error>
void check(Fate fate, const char* words) {
  for (const Loop loop : {Loop::queued, Loop::recorded})
    for (int i = 0; i < repetitions(); ++i) {
      const int culprit = i % ranks;
      CAPTURE(culprit);
      CAPTURE(static_cast<int>(loop));
      const auto begin = std::chrono::steady_clock::now();
      const std::string named = fate == Fate::reject ? "" : weft::sentence("rank ", culprit, ": ");
      CHECK_THROWS_WITH_AS(launch(fate, loop, culprit), Contains((named + words).c_str()), Error);
      CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
      CHECK_NOTHROW(launch(Fate::none, loop, culprit));
    }
}

}  // namespace

TEST_CASE("peer: a rank that throws ends all") { check<std::runtime_error>(Fate::raise, "boom"); }

TEST_CASE("peer: a rank that rejects its input ends all") {
  check<InvalidArgument>(Fate::reject, "steps is 0");
}

TEST_CASE("peer: a rank whose device has no memory left ends all") {
  check<std::runtime_error>(Fate::memory, "taking memory on the device failed: out of memory");
}
