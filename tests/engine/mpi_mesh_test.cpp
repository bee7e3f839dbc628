// Any mesh of processes against one rank, and what its ranks send. mpirun runs this with 8 processes.
#include <random>

#include "../comm/mpi_main.hpp"
#include "golden.hpp"
#include "weft/comm/solo.hpp"

using weft::Index;
using weft::Tensor;
using weft::mpi::World;

namespace {

using Alone = weft::Solo<weft::host::Queue>;

/// On the whole world's rank 0, in one process.
Tensor serial(const Model& model, const weft::Request<Prompt>& request) {
  if (all_processes->rank() != 0) return {};
  Alone world;
  weft::Engine<Model, weft::Local, Alone> engine(model, {}, world);
  return engine.generate(request);
}

using Engine = weft::Engine<Model, Full, World>;

/// On the whole world's rank 0. Every process has the weights of its own blocks alone.
Tensor generate(const Golden& golden, const weft::Mesh& mesh, const weft::Request<Prompt>& request) {
  Tensor result;
  on_processes(static_cast<int>(mesh.ranks()), [&](World& world) {
    const Model part(golden.folder / "model/transformer",
                     Engine::blocks(mesh, world.rank(), golden.model.shape()));
    result = Engine(part, mesh, world).generate(request);
  });
  return result;
}

void check_equal(const Tensor& a, const Tensor& b) {
  if (all_processes->rank() == 0) CHECK(relative_l2(a, b) <= 1e-5);
}

}  // namespace

TEST_CASE("Any mesh of processes with full warm-up equals one rank, also where nothing divides") {
  RandomMeshes meshes;
  for (const char* name : {"v12", "v11_hd88"}) {
    const Golden golden(name);
    for (int i = 0; i < 8; ++i) {
      auto request = golden.request("ddpm");
      const int steps = 2;
      request.sampler = weft::make_sampler(i % 2 ? "ddpm" : "dpmpp", golden.schedule(), steps);
      request.noise = request.step_noise = {};
      request.prompts.push_back(request.negatives[0]);
      request.negatives.push_back(request.prompts[0]);
      request.height = 2 * meshes.draw(3, 9), request.width = 2 * meshes.draw(3, 9);
      request.guidance_rescale = i % 3 ? 0 : 0.5f;
      request.seed = static_cast<std::uint64_t>(i);
      const weft::Mesh mesh = meshes(golden.model.shape(), 2, steps);
      CAPTURE(name_of(mesh));
      check_equal(generate(golden, mesh, request), serial(golden.model, request));
    }
  }
}

TEST_CASE("Noise is the same bits in any processes") {
  RandomMeshes meshes;
  const Golden golden("v12");
  auto request = golden.request("ddim");
  request.noise = request.step_noise = {};
  request.height = 10, request.width = 22;
  request.sampler = {{.timestep = 500, .keep = 1, .take = 0},
                     {.timestep = 100, .keep = 1, .take = 0, .noise = 1}};
  const Tensor alone = serial(golden.model, request);
  for (int i = 0; i < 5; ++i) {
    const weft::Mesh mesh = meshes(golden.model.shape(), 1, 2);
    CAPTURE(name_of(mesh));
    const Tensor noise = generate(golden, mesh, request);
    CHECK(noise.data == alone.data);
  }
}

TEST_CASE("Processes send the bytes of the methods' formulas") {
  const Golden golden("v12");
  const Index steps = 2, blocks = golden.model.shape().blocks;
  auto request = golden.request("ddim");
  request.step_noise = {};
  request.sampler = weft::make_sampler("ddim", golden.schedule(), static_cast<int>(steps));
  const Index activations =
      64 * golden.model.shape().width * 4;  // of one branch, of 8 × 8 tokens, in float32
  const auto check = [&](const weft::Mesh& mesh, const char* axis, auto expected) {
    on_processes(static_cast<int>(mesh.ranks()), [&](World& world) {
      const auto sent = [&world, axis] {
        const auto at = world.traffic().find(axis);
        return at == world.traffic().end() ? 0 : at->second.bytes;
      };
      const Index before = sent();
      Engine engine(golden.model, mesh, world);
      engine.generate(request);
      CHECK(engine.loop_counts() == weft::QueueCounts());
      CHECK(sent() - before == expected(world.rank()));
    });
  };
  for (const int n : {2, 4}) {
    check({.ulysses = n}, "ulysses",
          [&](int) { return steps * 4 * (n - 1) * 2 * activations * blocks / (n * n); });
    check({.ring = n}, "ring", [&](int) { return steps * 2 * (n - 1) * 2 * activations * blocks / n; });
    check({.pipe = n, .patches = n + 1}, "pipe",
          [&](int rank) { return (rank == 0 || rank == n - 1 ? 1 : 2) * steps * 2 * activations; });
  }
  check({.cfg = 2}, "cfg", [&](int) { return steps * 4 * 16 * 16 * 4; });
}
