// PixArt, SD3 and FLUX on meshes of processes with a GPU each, against what diffusers computed. Every case
// runs on any number of ranks, with meshes of as many.
#include "../comm/nccl_main.cuh"

#include <cstddef>
#include <string>
#include <vector>

#include "model_golden.hpp"
#include "weft/backend/cuda.cuh"

using weft::Mesh;
using weft::Tensor;
using weft::nccl::World;

namespace {

/// Returns meshes of as many ranks as there are processes, none of whose keys are stale: of one axis each,
/// and some of several.
std::vector<Mesh> meshes(const weft::DitShape& model, int branches, int steps) {
  const int n = all_processes->size();
  std::vector<Mesh> out{{.ring = n}};
  if (n <= model.heads) out.push_back({.ulysses = n});
  if (n <= model.most_slices()) out.push_back({.tensor = n});
  if (n <= model.blocks / 2) out.push_back({.pipe = n, .patches = n + 1, .warmup = steps});
  RandomMeshes random;
  const std::size_t count = out.size() + 3;
  for (int tries = 0; out.size() < count && tries < 100000; ++tries) {
    const Mesh mesh = random.sliced(model, 1, steps);
    if (mesh.ranks() == n && mesh.cfg <= branches) out.push_back(mesh);
  }
  return out;
}

/// Compares a loop, and a second one, which begins with its steps. Every process has only its portion
/// of the weights.
template <template <class> class ModelOn>
void compare(const char* name, const char* loop) {
  using Model = ModelOn<weft::Cuda<float, 16>>;
  using Engine = weft::Engine<Model, Full, World>;
  const ModelGolden<Model> golden(name);
  const auto request = golden.request(loop);
  const Tensor expected = golden.file(std::string(loop) + "_expected").tensor("latents");
  const weft::DitShape shape = golden.model.shape();
  for (const Mesh& mesh :
       meshes(shape, static_cast<int>(request.branches()), static_cast<int>(request.sampler.size()))) {
    CAPTURE(weft::name_of(mesh));
    const Model part(golden.folder / "model/transformer",
                     Engine::portion(mesh, all_processes->rank(), shape));
    Engine engine(part, mesh, *all_processes);
    const Tensor states = engine.generate(request), again = engine.generate(request);
    CHECK(engine.loop_counts() == weft::QueueCounts());
    if (all_processes->rank() > 0) continue;
    MESSAGE(name << ": " << weft::name_of(mesh));
    CHECK(relative_l2(states, expected) <= 1e-4);
    CHECK(again.data == states.data);
  }
}

}  // namespace

TEST_CASE("PixArt on any mesh of processes equals diffusers") {
  compare<weft::PixArt>("pixart_sigma", "ddim");
}

TEST_CASE("SD3 on any mesh of processes equals diffusers") { compare<weft::SD3>("sd3", "loop"); }

TEST_CASE("FLUX on any mesh of processes equals diffusers") { compare<weft::Flux>("flux", "loop"); }
