// The Host backend as a whole: its concept, memory, copies and scratch.
#include "weft/backend/host.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "strided.hpp"
#include "weft/backend/backend.hpp"

using weft::Backend;
using weft::Host;
using weft::Range;
using weft::host::Buffer;
using weft::host::Queue;

namespace {

/// A backend without operators.
struct Idle {
  using Element = float;
  struct Queue {
    void span(const char*, const char*, Index) {}
    weft::QueueCounts counts() const { return {}; }
  };
  template <class T>
  using Buffer = weft::host::Buffer<T>;
};

/// A backend without an element type.
struct WithoutElement {
  using Queue = weft::host::Queue;
  template <class T>
  using Buffer = weft::host::Buffer<T>;
};

/// A backend whose `check` takes no model.
struct WithoutCheck : Host {
  static void check() {}
};

/// A backend whose operators are of another type.
struct HalfPrecision : Host {
  using Element = std::uint16_t;
};

}  // namespace

static_assert(Backend<Host>);
static_assert(!Backend<Idle> && !Backend<WithoutElement> && !Backend<WithoutCheck> &&
              !Backend<HalfPrecision> && !Backend<int>);

TEST_CASE("Buffer: is aligned, zero, and counted") {
  Queue queue;
  CHECK(queue.counts().allocations == 0);
  const Buffer<float> buffer(queue, 33);
  const Buffer<double> empty(queue, 0);
  CHECK(queue.counts().allocations == 2);
  CHECK(buffer.size() == 33);
  const auto view = buffer.view(std::array<Index, 2>{3, 11});
  CHECK(reinterpret_cast<std::uintptr_t>(view.data) % 64 == 0);
  CHECK(error(view, [](Index, Index) { return 0; }) == 0);
  CHECK(empty.view(std::array<Index, 1>{0}).empty());
}

TEST_CASE("upload and download: a tensor to a view and back") {
  Queue queue;
  const weft::Tensor tensor({2, 3}, {0, 1, 2, 3, 4, 5});
  const Buffer<float> buffer(queue, 6);
  const auto view = buffer.view(std::array<Index, 2>{2, 3});
  upload(queue, tensor, view);
  CHECK(download(queue, view).data == tensor.data);
  CHECK(download(queue, view).shape == tensor.shape);
  CHECK(download(queue, view.slice<1>({1, 3})).data == std::vector<float>{1, 2, 4, 5});
  upload(queue, weft::Tensor({2, 2}, {6, 7, 8, 9}), view.slice<1>({1, 3}));
  CHECK(download(queue, view).data == std::vector<float>{0, 6, 7, 3, 8, 9});
}

TEST_CASE("Queue: records spans on its lane, and works without one") {
  weft::Lane lane;
  Queue queue(1, &lane), silent;
  { const auto span = queue.span("model", "block", 2); }
  { const auto span = silent.span("model", "block", 2); }
  CHECK(lane.slices().size() == 1);
}

TEST_CASE("Queue: replays a recording for any other step") {
  Queue queue;
  std::vector<Index> steps;
  const auto recording = queue.record([&](Index step) { steps.push_back(queue.step(step).index()); }, 3);
  queue.replay(recording, 3);
  queue.replay(recording, 4);
  CHECK(queue.counts().recordings == 1);
  CHECK(steps == std::vector<Index>{3, 4});
}

TEST_CASE("Milestones: report how many were passed, if given a callback") {
  Queue queue;
  Index reported = 0;
  Queue::Milestones milestones(2, [&](Index count) { reported = count; }), silent(2, nullptr);
  for (Queue::Milestones* passed : {&milestones, &milestones, &silent}) passed->pass(queue);
  CHECK(reported == 2);
}
