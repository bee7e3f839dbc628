// A rehearsed rank against the same rank in a world of threads.
#include "weft/comm/rehearsal.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "worlds.hpp"

using Rehearsed = weft::Rehearsal<weft::host::Queue>;
using SentByName = std::map<std::string, weft::Traffic, std::less<>>;

static_assert(weft::World<Rehearsed> && weft::Communicator<Rehearsed> && weft::Push<Rehearsed>);

namespace {

/// Returns how often each of the model's slices is in the lane.
std::map<std::string, int> slices(const weft::Lane& lane) {
  std::map<std::string, int> count;
  for (const weft::Lane::Slice& slice : lane.slices())
    if (std::string_view(slice.category) == "model") ++count[slice.name];
  return count;
}

}  // namespace

TEST_CASE("A rehearsed rank sends what it sends among the others, and evaluates the same blocks") {
  const HostGolden golden("v12");
  auto request = golden.request("ddim");
  request.noise = request.step_noise = {};
  request.height = 14, request.width = 18;
  request.guidance_rescale = 0.5f;
  for (const weft::Mesh& mesh : {weft::Mesh{.cfg = 2},
                                 {.ulysses = 3},
                                 {.ring = 3},
                                 {.pipe = 3, .patches = 5},
                                 {.pipe = 2, .ring = 2, .patches = 3},
                                 {.pipe = 2, .ring = 2, .patches = 2, .ring_cache = weft::RingCache::rotate},
                                 {.cfg = 2, .pipe = 2, .ulysses = 2}}) {
    CAPTURE(name_of(mesh));
    const int ranks = static_cast<int>(mesh.ranks());
    std::vector<SentByName> sent(static_cast<std::size_t>(ranks));
    weft::Trace trace(ranks);
    weft::launch(ranks,
                 [&](weft::threads::World& world) {
                   weft::Engine<Model, Full>(golden.model, mesh, world).generate(request);
                   sent[static_cast<std::size_t>(world.rank())] = world.traffic();
                 },
                 {.trace = &trace});
    for (int rank = 0; rank < ranks; ++rank) {
      CAPTURE(rank);
      weft::Lane lane;
      Rehearsed world(ranks, rank, weft::fill_on_host, 1, &lane);
      weft::Engine<Model, Full, Rehearsed> engine(golden.model, mesh, world);
      const weft::Tensor result = engine.generate(request);
      const SentByName& among = sent[static_cast<std::size_t>(rank)];
      REQUIRE(world.traffic().size() == among.size());
      for (const auto& [axis, traffic] : among) {
        CAPTURE(axis);
        CHECK(world.traffic().at(axis).bytes == traffic.bytes);
        CHECK(world.traffic().at(axis).calls == traffic.calls);
      }
      CHECK(slices(lane) == slices(trace.lane(rank)));
      CHECK(engine.step_seconds().size() == request.sampler.size());
      for (const float value : result.data) REQUIRE(std::isfinite(value));
    }
  }
}

TEST_CASE("Every rank times its steps") {
  const HostGolden golden("v12");
  auto request = golden.request("ddim");
  for (const weft::Mesh& mesh : {weft::Mesh{.ulysses = 2}, {.pipe = 4, .patches = 6}})
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      weft::Engine<Model, Full> engine(golden.model, mesh, world);
      engine.generate(request);
      CHECK(engine.step_seconds().size() == request.sampler.size());
    });
}

TEST_CASE("Values received in a rehearsal are numbers of ordinary size, in any format, written once") {
  std::vector<float> numbers(1000);
  weft::fill_on_host(weft::View<float, 1>(numbers.data(), {1000}));
  float least = 1, most = -1;
  for (const float number : numbers) {
    CHECK(std::abs(number) >= 0.125f);
    CHECK(std::abs(number) < 0.5f);
    least = std::min(least, number), most = std::max(most, number);
  }
  CHECK(least < -0.4f);
  CHECK(most > 0.4f);

  weft::host::Queue queue;
  Rehearsed world(2, 0, weft::fill_on_host);
  numbers.assign(1000, 7);
  auto first = world.receive(queue, weft::View<float, 1>(numbers.data(), {1000}), 1);
  world.wait(queue, first);
  CHECK(numbers[999] != 7);
  numbers.assign(1000, 7);
  auto second = world.receive(queue, weft::View<float, 1>(numbers.data(), {1000}), 1);
  world.wait(queue, second);
  CHECK(numbers[999] == 7);
}
