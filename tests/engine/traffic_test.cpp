// Bytes that ranks send, against the formulas of the methods.
#include <doctest/doctest.h>

#include <map>
#include <mutex>

#include "worlds.hpp"

namespace {

struct Sent {
  std::vector<std::map<std::string, weft::Traffic, std::less<>>> ranks;

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

/// A loop of two steps on a picture of 8 × 8 tokens.
struct Loop {
  Golden golden{"v12"};
  weft::Index steps = 2;
  weft::Index picture_bytes = 64 * golden.model.shape().width * 4;  // activations of one branch, float32

  Sent run(const weft::Mesh& mesh) const {
    auto request = golden.request("ddim");
    request.step_noise = {};
    request.sampler = weft::make_sampler("ddim", golden.schedule(), static_cast<int>(steps));
    Sent sent;
    sent.ranks.resize(static_cast<std::size_t>(mesh.ranks()));
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      weft::Engine<Model, Full> engine(golden.model, mesh, world);
      engine.generate(request);
      CHECK(engine.loop_counts() == weft::QueueCounts());
      sent.ranks[static_cast<std::size_t>(world.rank())] = world.traffic();
    });
    return sent;
  }
  weft::Index blocks() const { return golden.model.shape().blocks; }
};

}  // namespace

TEST_CASE("Ulysses sends 4 (N − 1) / N² of the activations a rank and block") {
  const Loop loop;
  for (int n : {2, 4}) {
    const Sent sent = loop.run({.ulysses = n});
    for (int rank = 0; rank < n; ++rank)
      CHECK(sent.bytes(rank, "ulysses") ==
            loop.steps * 4 * (n - 1) * 2 * loop.picture_bytes * loop.blocks() / (n * n));
  }
}

TEST_CASE("Ring sends 2 (N − 1) / N of the activations a rank and block") {
  const Loop loop;
  for (int n : {2, 4}) {
    const Sent sent = loop.run({.ring = n});
    for (int rank = 0; rank < n; ++rank)
      CHECK(sent.bytes(rank, "ring") ==
            loop.steps * 2 * (n - 1) * 2 * loop.picture_bytes * loop.blocks() / n);
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

TEST_CASE("Folded PipeFusion sends the activations once at the ends and twice in between") {
  const Loop loop;
  const weft::Index activations = loop.steps * 2 * loop.picture_bytes;
  for (int n : {2, 3, 4}) {
    const Sent sent = loop.run({.pipe = n, .patches = n + 1});
    for (int rank = 0; rank < n; ++rank)
      CHECK(sent.bytes(rank, "pipe") == (rank == 0 || rank == n - 1 ? 1 : 2) * activations);
  }
}

TEST_CASE("CfgParallel sends one prediction a step") {
  const Loop loop;
  const Sent sent = loop.run({.cfg = 2});
  const weft::Index prediction = 4 * 16 * 16 * 4;
  CHECK(sent.bytes(0, "cfg") == loop.steps * prediction);
  CHECK(sent.bytes(1, "cfg") == loop.steps * prediction);
}

TEST_CASE("Nothing is gathered but the final state") {
  const Loop loop;
  const weft::Index state = 4 * 16 * 16 * 4;
  CHECK(loop.run({.cfg = 2, .ulysses = 2, .ring = 2}).total("world") == state * 3 / 4);
  CHECK(loop.run({.pipe = 4}).total("world") == 0);
}
