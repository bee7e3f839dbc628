// States that go from the tokens that ranks hold to bands of rows.
#include "weft/engine/reshard.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "toy.hpp"

using weft::Index;
using weft::Mesh;
using weft::Range;
using weft::Tensor;

namespace {

/// Returns rows `from` of states (states, channels, height, width).
Tensor rows_of(const Tensor& states, Range from) {
  Tensor out({states.shape[0], states.shape[1], from.size(), states.shape[3]});
  const auto rows = states.view<4>().slice<2>(from);
  auto next = out.data.begin();
  for (Index i = 0; i < states.shape[0]; ++i)
    for (Index c = 0; c < states.shape[1]; ++c)
      for (Index y = 0; y < from.size(); ++y)
        for (Index x = 0; x < states.shape[3]; ++x) *next++ = rows[i][c][y][x];
  return out;
}

/// What ranks hold, and what they are to hold.
struct Case {
  std::vector<weft::TokenShard> shards;
  std::vector<Range> rows;
};

/// Checks that every rank gets its rows of the states, by messages to other ranks alone, of what those are
/// to hold.
void check(const Case& given, const weft::ImageShape& shape, const Tensor& states) {
  const auto ranks = static_cast<int>(given.shards.size());
  weft::launch(ranks, [&](weft::threads::World& world) {
    const auto own = static_cast<std::size_t>(world.rank());
    const weft::TokenShard& shard = given.shards[own];
    const Tensor tokens = to_tokens(states, shape, shard.images, shard.rows);
    weft::host::Queue queue;
    const weft::Host::Buffer<float> buffer(queue, tokens.size());
    const weft::View<float, 3> view =
        buffer.view(std::array{tokens.shape[0], tokens.shape[1], tokens.shape[2]});
    upload(queue, tokens, view);
    const Tensor got =
        weft::reshard<weft::Host>(queue, world, view, shape, states.shape[0], given.shards, given.rows);
    const Tensor wanted = rows_of(states, given.rows[own]);
    CHECK(got.shape == wanted.shape);
    CHECK(got.data == wanted.data);

    Index elements_to_others = 0;
    weft::detail::for_each_element(shape, shard.images, shard.rows, [&](Index element, Index) {
      const Index row = element / shape.width % shape.height;
      for (int rank = 0; rank < ranks; ++rank)
        elements_to_others +=
            rank != world.rank() && given.rows[static_cast<std::size_t>(rank)].contains(row);
    });
    const auto at = world.traffic().find("world");
    const weft::Traffic sent = at == world.traffic().end() ? weft::Traffic{} : at->second;
    CHECK(sent.bytes == 4 * elements_to_others);
    CHECK(sent.calls <= ranks - 1);
  });
}

std::vector<Range> bands(Index height, int ranks) {
  std::vector<Range> out;
  for (int rank = 0; rank < ranks; ++rank) out.push_back(weft::split(height, ranks, rank));
  return out;
}

}  // namespace

TEST_CASE("reshard: tokens of patches and slices become bands of rows, uneven, empty, or all on one rank") {
  const weft::ImageShape shape{3, 10, 6, 2};
  Tensor states({3, 3, 10, 6});
  std::iota(states.data.begin(), states.data.end(), 1.0f);
  const weft::Layout layout{shape.tokens(), 2, 2, 2};
  for (const int ranks : {1, 3, 4, 7, 13})
    for (const int holders : {1, 2}) {  // of the images
      Case some;
      for (int rank = 0; rank < ranks; ++rank) {
        const bool is_all = ranks < 4 * holders;
        if (is_all)
          some.shards.push_back({rank == ranks - 1 ? Range{0, 3} : Range{}, layout.of_all()});
        else
          some.shards.push_back({rank < 4 * holders ? weft::split(3, holders, rank / 4) : Range{},
                                 layout.of_rank(rank / 2 % 2, rank % 2)});
      }
      CAPTURE(ranks);
      CAPTURE(holders);
      some.rows = bands(10, ranks);
      check(some, shape, states);
      some.rows.assign(some.shards.size(), {});
      some.rows.back() = {0, 10};
      check(some, shape, states);
      some.rows.back() = {3, 4};  // what nobody is to hold stays away
      check(some, shape, states);
    }
}

TEST_CASE("latents_band: the rows of what generate gathers, bit for bit on every mesh") {
  const Toy model;
  auto request = toy_request(3);
  request.prompts = {3, 5};
  request.negatives = {4, 1};
  for (const auto& [height, width] : {std::pair<Index, Index>{10, 4}, {8, 12}, {2, 14}}) {
    request.height = height;
    request.width = width;
    for (const Mesh& mesh : {Mesh{},
                             {.cfg = 2},
                             {.data = 2, .cfg = 2},
                             {.ulysses = 2, .ring = 3},
                             {.pipe = 3, .patches = 5},
                             {.cfg = 2, .pipe = 2, .ring = 2, .patches = 3}}) {
      CAPTURE(weft::name_of(mesh));
      CAPTURE(height);
      const Tensor whole = toy_result(model, mesh, request);
      REQUIRE(whole.shape == weft::Shape{2, 1, height, width});
      weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
        weft::Engine<Toy, Full> engine(model, mesh, world);
        const Tensor wanted = rows_of(whole, weft::split(height, world.size(), world.rank()));
        for (int i = 0; i < 2; ++i) {
          engine.denoise(request);
          const Tensor band = engine.latents_band(), latents = engine.latents();
          CHECK(latents.empty() == (world.rank() > 0));
          if (world.rank() == 0) CHECK(latents.data == whole.data);
          CHECK(band.shape == wanted.shape);
          CHECK(band.data == wanted.data);
        }
      });
    }
  }
}

TEST_CASE("latents: there are none before a request and after an evaluation") {
  const Toy model;
  weft::launch(2, [&model](weft::threads::World& world) {
    weft::Engine<Toy, Full> engine(model, {.ulysses = 2}, world);
    const auto check_none = [&engine] {
      CHECK_THROWS_AS(engine.latents(), std::logic_error);
      CHECK_THROWS_AS(engine.latents_band(), std::logic_error);
    };
    check_none();
    engine.denoise(toy_request());
    CHECK(engine.latents_band().shape == weft::Shape{1, 1, 4, 12});
    engine.forward({.prompts = {1}, .latents = Tensor({1, 1, 8, 12}), .times = Tensor({1}, {500})});
    check_none();
  });
}
