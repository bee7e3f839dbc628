// SD3 and FLUX on random meshes of processes, against what diffusers computed. mpirun runs this with 8
// processes.
#include <algorithm>

#include "../comm/mpi_main.hpp"
#include "model_golden.hpp"

using weft::Mesh;
using weft::Tensor;
using weft::mpi::World;

namespace {

/// Returns a loop's states on the whole world's rank 0. Every process has only its portion of the weights.
template <class Model>
Tensor generated(const ModelGolden<Model>& golden, const Mesh& mesh,
                 const weft::Request<weft::JointPrompt>& request) {
  using Engine = weft::Engine<Model, Full, World>;
  Tensor states;
  on_processes(static_cast<int>(mesh.ranks()), [&](World& world) {
    const Model part(golden.folder / "model/transformer",
                     Engine::portion(mesh, world.rank(), golden.model.shape()));
    states = Engine(part, mesh, world).generate(request);
  });
  return states;
}

/// Compares a loop, every step of which sees fresh keys.
template <class Model>
void check_loop(const char* name) {
  const ModelGolden<Model> golden(name);
  const auto request = golden.request("loop");
  const Tensor expected = golden.file("loop_expected").tensor("latents");
  RandomMeshes meshes;
  for (int trial = 0; trial < 6; ++trial) {
    Mesh mesh = meshes.sliced(golden.model.shape(), 1, static_cast<int>(request.sampler.size()));
    mesh.cfg = std::min(mesh.cfg, static_cast<int>(request.branches()));
    CAPTURE(name_of(mesh));
    const Tensor states = generated(golden, mesh, request);
    if (all_processes->rank() == 0) CHECK(relative_l2(states, expected) <= 1e-4);
  }
}

}  // namespace

TEST_CASE("SD3 on any mesh of processes equals diffusers") { check_loop<weft::SD3<weft::Host>>("sd3"); }

TEST_CASE("FLUX on any mesh of processes equals diffusers") { check_loop<weft::Flux<weft::Host>>("flux"); }
