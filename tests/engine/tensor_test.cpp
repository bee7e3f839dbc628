// Slices of a model: their sums, what ranks hold of the weights, and what cannot be sliced.
#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

#include "cases.hpp"
#include "model_golden.hpp"
#include "toy.hpp"
#include "weft/core/noise.hpp"
#include "worlds.hpp"

using weft::Index;
using weft::InvalidArgument;
using weft::Mesh;
using weft::Portion;
using weft::Tensor;
using weft::View;

namespace {

/// Returns what every member has after members have summed (rows, 1, 3) tensors, each of its own.
std::vector<std::vector<float>> sums_of_members(int members, Index rows) {
  using Policy = weft::TensorParallel<>::On<weft::Host, weft::threads::Communicator>;
  std::vector<std::vector<float>> out(static_cast<std::size_t>(members));
  weft::launch(members, [&out, members, rows](weft::threads::World& world) {
    weft::host::Queue queue;
    Policy policy(world, {.tensor = members});
    const weft::Job job{.model = {.width = 3, .heads = 1, .head_dim = 3},
                        .layout = {.tokens = rows},
                        .images = 1,
                        .slice = {world.rank(), members}};
    policy.prepare(queue, job);
    std::vector<float>& own = out[static_cast<std::size_t>(world.rank())];
    for (Index i = 0; i < rows * 3; ++i)
      own.push_back(weft::normal(1, static_cast<std::uint32_t>(world.rank()), static_cast<std::uint64_t>(i)));
    policy.reduce(queue, View<float, 3>(own.data(), {rows, 1, 3}));
  });
  return out;
}

template <class Model>
Index bytes_of_blocks(const Model& model) {
  Index sum = 0;
  for (std::size_t i = 1; i < model.weight_memory().sections.size(); ++i)
    sum += model.weight_memory().sections[i].size();
  return sum;
}

/// Returns the bytes that two slices have in all beyond those of the whole model, over these.
template <class Model>
double repeated(const ModelGolden<Model>& golden) {
  Index slices = 0;
  for (int rank = 0; rank < 2; ++rank) slices += bytes_of_blocks(golden.slices.of_rank({.tensor = 2}, rank));
  const Index whole = bytes_of_blocks(golden.model);
  return static_cast<double>(slices - whole) / static_cast<double>(whole);
}

}  // namespace

TEST_CASE("Slices are summed in the order of members: all get the same bits, whatever the rows") {
  for (const int members : {2, 3, 5})
    for (const Index rows : {1, 2, 7, 30}) {
      CAPTURE(members);
      CAPTURE(rows);
      const std::vector<std::vector<float>> all = sums_of_members(members, rows);
      for (Index i = 0; i < rows * 3; ++i) {
        float sum = weft::normal(1, 0, static_cast<std::uint64_t>(i));
        for (int member = 1; member < members; ++member)
          sum += weft::normal(1, static_cast<std::uint32_t>(member), static_cast<std::uint64_t>(i));
        for (const std::vector<float>& own : all) CHECK(own[static_cast<std::size_t>(i)] == sum);
      }
    }
}

TEST_CASE("Slices give the same bits in every run") {
  const HostGolden golden("v12");
  const auto request = golden.request("ddim");
  const Mesh mesh{.ring = 2, .tensor = 3};
  CHECK(generate(golden, mesh, request).data == generate(golden, mesh, request).data);
}

TEST_CASE("Modulations are gathered once a request: a rank sends (N − 1) / N of them, in float32") {
  using Flux = weft::Flux<weft::Host>;
  const ModelGolden<Flux> golden("flux");
  const auto request = golden.request("loop");
  const auto& config = golden.model.config();
  const Index vectors = 12 * config.double_blocks + 3 * config.single_blocks;
  const auto bytes = static_cast<Index>(request.sampler.size()) * vectors * config.width() * 4;
  for (const int n : {2, 4}) {
    const Mesh mesh{.tensor = n};
    weft::launch(n, [&golden, &request, &mesh, bytes, n](weft::threads::World& world) {
      weft::Engine<Flux, Full> engine(golden.slices.of_rank(mesh, world.rank()), mesh, world);
      for (const Index requests : {1, 2}) {
        engine.generate(request);
        CHECK(bytes_sent(world, "constants") == requests * bytes * (n - 1) / n);
      }
    });
  }
}

TEST_CASE("Two slices hold each matrix of a block once, and repeat what is not split") {
  const ModelGolden<weft::PixArt<weft::Host>> pixart("pixart_sigma");
  CHECK(repeated(pixart) < 0.03);
  const ModelGolden<weft::Flux<weft::Host>> flux("flux");
  CHECK(repeated(flux) < 0.03);
  const ModelGolden<weft::SD3<weft::Host>> sd3("sd3");
  CHECK(repeated(sd3) < 0.03);
  const HostGolden hunyuan("v12");  // whose layers of shifts and of long skips are not split
  const Index whole = bytes_of_blocks(hunyuan.model);
  Index slices = 0;
  for (int rank = 0; rank < 2; ++rank) slices += bytes_of_blocks(hunyuan.slices.of_rank({.tensor = 2}, rank));
  CHECK(static_cast<double>(slices - whole) < 0.15 * static_cast<double>(whole));
}

TEST_CASE("A rank whose model holds another slice is told which it needs") {
  const HostGolden golden("v12");
  const auto rejection = [](const Model& model, const Mesh& mesh) -> std::string {
    try {
      weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
        weft::Engine<Model, Full> engine(model, mesh, world);
      });
    } catch (const InvalidArgument& rejected) {
      return rejected.what();
    }
    return {};
  };
  const std::string whole = rejection(golden.model, {.tensor = 2});
  CHECK(whole.find("needs the matrices of its blocks as slice ") != std::string::npos);
  CHECK(whole.find("of 2, and its model holds them whole; load what Engine::portion returns for the rank") !=
        std::string::npos);
  CHECK(rejection(golden.slices.of_rank({.tensor = 2}, 1), {}) ==
        "rank 0 needs the matrices of its blocks whole, and its model holds them as slice 1 of 2; load what "
        "Engine::portion returns for the rank");
}

TEST_CASE("What cannot be sliced is rejected before any work") {
  const HostGolden golden("v12");
  const weft::DitShape shape = golden.shape();
  const int many = static_cast<int>(shape.most_slices()) + 1;
  using Engine = weft::Engine<Model, Full>;
  CHECK_THROWS_WITH_AS((void)Engine::portion({.tensor = many}, 0, shape),
                       doctest::Contains("by heads and by hidden features; use tensor"), InvalidArgument);
  CHECK_THROWS_WITH_AS(Model(golden.folder / "model/transformer", Portion({}, {0, many})),
                       doctest::Contains("slices, and can be cut into 1 to "), InvalidArgument);
  const Toy toy;
  weft::launch(2, [&toy](weft::threads::World& world) {
    CHECK_THROWS_WITH_AS((weft::Engine<Toy, Full>(toy, {.tensor = 2}, world)),
                         "the mesh has tensor 2, and the matrices of this model's blocks cannot be cut into "
                         "slices; use tensor 1",
                         InvalidArgument);
  });
}
