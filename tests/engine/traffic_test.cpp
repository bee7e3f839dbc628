// Bytes that ranks send, against the formulas of the methods.
#include <doctest/doctest.h>

#include <vector>

#include "cases.hpp"
#include "worlds.hpp"

namespace {

struct Sent {
  std::vector<weft::TrafficByName> ranks;

  weft::Index bytes(int rank, const char* axis) const {
    const auto at = ranks[static_cast<std::size_t>(rank)].find(axis);
    return at == ranks[static_cast<std::size_t>(rank)].end() ? 0 : at->second.bytes;
  }
  weft::Index total(const char* axis) const {
    weft::Index sum = 0;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) sum += bytes(static_cast<int>(rank), axis);
    return sum;
  }
};

struct Loop {
  HostGolden golden{"v12"};
  TrafficLoop loop{golden};

  Sent run(const weft::Mesh& mesh) const {
    Sent sent;
    sent.ranks.resize(static_cast<std::size_t>(mesh.ranks()));
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      weft::Engine<Model, Full> engine(golden.slices.of_rank(mesh, world.rank()), mesh, world);
      engine.generate(loop.request());
      CHECK(engine.loop_counts() == weft::QueueCounts());
      sent.ranks[static_cast<std::size_t>(world.rank())] = world.traffic();
    });
    return sent;
  }
};

}  // namespace

TEST_CASE("Ranks send the bytes of the methods' formulas") {
  const Loop loop;
  for (const int n : {2, 3, 4})
    for (const auto& [mesh, axis, bytes] : loop.loop.sendings(n)) {
      if (n == 3 && mesh.pipe == 1) continue;  // the tokens are not divisible by 3
      const Sent sent = loop.run(mesh);
      CAPTURE(axis);
      for (int rank = 0; rank < n; ++rank) CHECK(sent.bytes(rank, axis) == bytes(rank));
    }
}

TEST_CASE(
    "Ring with patches sends no more where caches are copied, and patches times that where they rotate") {
  const Loop loop;
  weft::Mesh mesh{.ring = 2, .patches = 4, .warmup = 1, .ring_cache = weft::RingCache::copy};
  const weft::Index plain = loop.run({.ring = 2}).bytes(0, "ring");
  CHECK(loop.run(mesh).bytes(0, "ring") == plain);
  mesh.ring_cache = weft::RingCache::rotate;
  CHECK(loop.run(mesh).bytes(0, "ring") == plain / 2 + 4 * plain / 2);
}

TEST_CASE("Nothing is gathered but the final state") {
  const Loop loop;
  const weft::Index state = 4 * 16 * 16 * 4;
  // Engine and request are compared: 64 bytes to rank 0 and as many back for each other rank.
  const auto compared = [](int ranks) { return 2 * 2 * 64 * weft::Index{ranks - 1}; };
  CHECK(loop.run({.cfg = 2, .ulysses = 2, .ring = 2}).total("world") == state * 3 / 4 + compared(8));
  CHECK(loop.run({.pipe = 4}).total("world") == compared(4));
}
