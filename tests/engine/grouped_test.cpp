// Models whose heads of queries share heads of keys: every mesh equals one rank.
#include <doctest/doctest.h>

#include <stdexcept>

#include "grouped_toy.hpp"

namespace {

using weft::Index, weft::Mesh, weft::Tensor;

/// Returns the bytes that rank 0 sends along an axis.
Index bytes_sent(const GroupedToy& model, const Mesh& mesh, const char* axis) {
  Index bytes = 0;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<GroupedToy, Full>(model, mesh, world).generate(toy_request());
    if (world.rank() == 0) bytes = world.traffic().find(axis)->second.bytes;
  });
  return bytes;
}

template <class Model>
Tensor result(const Model& model, const Mesh& mesh) {
  Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    Tensor images = weft::Engine<Model, Full>(model, mesh, world).generate(toy_request());
    if (world.rank() == 0) result = std::move(images);
  });
  return result;
}

}  // namespace

TEST_CASE("grouped queries: a head of keys serves its queries as copies of it would") {
  for (const Index key_heads : {1, 2, 3})
    CHECK(largest_difference(result(GroupedToy(key_heads), {}),
                             result(GroupedToy(key_heads, GroupedToy::heads / key_heads), {})) < 1e-4);
}

TEST_CASE("grouped queries: meshes that split groups, and that do not, equal one rank") {
  for (const Index key_heads : {1, 2, 3}) {
    const GroupedToy model(key_heads);
    const Tensor one = result(model, {});
    for (const Mesh& mesh : {Mesh{.ulysses = 2}, Mesh{.ulysses = 3}, Mesh{.ulysses = 4}, Mesh{.ulysses = 5},
                             Mesh{.ulysses = 6}, Mesh{.ring = 3}, Mesh{.ulysses = 4, .ring = 2},
                             Mesh{.pipe = 2, .ulysses = 4, .patches = 3, .warmup = 2},
                             Mesh{.cfg = 2,
                             .ulysses = 2,
                             .ring = 2,
                             .patches = 2,
                             .warmup = 2,
                             .ring_cache = weft::RingCache::copy}}) {
      CAPTURE(key_heads);
      INFO("mesh ", name_of(mesh));
      CHECK(largest_difference(result(model, mesh), one) < 1e-4);
    }
  }
}

TEST_CASE("grouped queries: fewer heads of keys are fewer bytes to send") {
  constexpr Index steps = 2, blocks = 4, images = 2, tokens = 12;  // of a rank
  constexpr Index head_bytes = steps * blocks * images * tokens * GroupedToy::head * Index{sizeof(float)};
  for (const Index key_heads : {2, 6}) {
    const GroupedToy model(key_heads);
    CHECK(bytes_sent(model, {.ulysses = 2}, "ulysses") == (2 * 3 + 2 * key_heads / 2) * head_bytes);
    CHECK(bytes_sent(model, {.ring = 2}, "ring") == 2 * key_heads * head_bytes);
  }
}

TEST_CASE("grouped queries: a block asks for attention of the heads that its model has") {
  struct Mistaken : GroupedToy {
    using GroupedToy::GroupedToy;
    weft::DitShape shape() const {
      weft::DitShape mistaken = numbers;
      mistaken.kv_heads = 0;
      return mistaken;
    }
  };
  CHECK_THROWS_WITH_AS(result(Mistaken(2), {}),
                       "the block asks for attention of 6 heads to 2 of keys, and its DitShape says 6 to 6",
                       std::logic_error);
}

TEST_CASE("grouped queries: heads of keys divide those of queries") {
  GroupedToy model(2);
  model.numbers.kv_heads = 5;
  CHECK_THROWS_WITH_AS(result(model, {}),
                       "the model has 5 heads of keys, which must divide its 6 heads of queries; 3 would do",
                       weft::InvalidArgument);
  CHECK_THROWS_WITH_AS(result(GroupedToy(2), {.ulysses = 7}),
                       "the mesh has ulysses 7, and the model has 6 heads; use ulysses 6 or fewer, and ring "
                       "for the rest",
                       weft::InvalidArgument);
}
