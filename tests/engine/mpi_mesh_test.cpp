// Results and traffic on any mesh of processes against those of one rank. mpirun runs this with 8 processes.
#include "../comm/mpi_main.hpp"
#include "cases.hpp"
#include "host_model.hpp"
#include "weft/comm/solo.hpp"

using weft::Index;
using weft::Tensor;
using weft::mpi::World;

namespace {

using Alone = weft::Solo<weft::host::Queue>;

/// Returns the images of one process; called on the whole world's rank 0 only.
Tensor serial(const Model& model, const weft::Request<Prompt>& request) {
  if (all_processes->rank() != 0) return {};
  Alone world;
  weft::Engine<Model, weft::Local, Alone> engine(model, {}, world);
  return engine.generate(request);
}

using Engine = weft::Engine<Model, Full, World>;

/// Returns the mesh's images on the whole world's rank 0. Every process has only its portion of the
/// weights.
Tensor generate(const HostGolden& golden, const weft::Mesh& mesh, const weft::Request<Prompt>& request) {
  Tensor result;
  on_processes(static_cast<int>(mesh.ranks()), [&](World& world) {
    const Model part(golden.folder / "model/transformer",
                     Engine::portion(mesh, world.rank(), golden.model.shape()));
    result = Engine(part, mesh, world).generate(request);
  });
  return result;
}

void check_equal(const Tensor& a, const Tensor& b) {
  if (all_processes->rank() == 0) CHECK(relative_l2(a, b) <= 1e-5);
}

}  // namespace

TEST_CASE("Any mesh of processes with full warm-up equals one rank, also without divisibility") {
  RandomMeshes meshes;
  for (const char* name : {"v12", "v11_hd88"}) {
    const HostGolden golden(name);
    for (int i = 0; i < 8; ++i) {
      const Index height = 2 * meshes.draw(3, 9), width = 2 * meshes.draw(3, 9);
      const auto request = two_images(golden, i, height, width);
      const weft::Mesh mesh = meshes.sliced(golden.model.shape(), 2, 2);
      CAPTURE(name_of(mesh));
      check_equal(generate(golden, mesh, request), serial(golden.model, request));
    }
  }
}

TEST_CASE("Noise is the same bits in any processes") {
  RandomMeshes meshes;
  const HostGolden golden("v12");
  const auto request = noise_alone(golden);
  const Tensor alone = serial(golden.model, request);
  for (int i = 0; i < 5; ++i) {
    const weft::Mesh mesh = meshes.sliced(golden.model.shape(), 1, 2);
    CAPTURE(name_of(mesh));
    const Tensor noise = generate(golden, mesh, request);
    CHECK(noise.data == alone.data);
  }
}

TEST_CASE("Processes send the bytes of the methods' formulas") {
  const HostGolden golden("v12");
  const TrafficLoop loop{golden};
  for (const int n : {2, 4})
    for (const auto& [mesh, axis, bytes] : loop.sendings(n))
      on_processes(n, [&loop, &golden, &mesh, axis, &bytes](World& world) {
        const Index before = bytes_sent(world, axis);
        Engine engine(golden.slices.of_rank(mesh, world.rank()), mesh, world);
        engine.generate(loop.request());
        CHECK(engine.loop_counts() == weft::QueueCounts());
        CHECK(bytes_sent(world, axis) - before == bytes(world.rank()));
      });
}
