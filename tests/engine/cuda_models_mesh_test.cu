// PixArt, SD3 and FLUX on meshes of ranks that are threads on CUDA devices, against one rank.
#include <doctest/doctest.h>

#include <cuda_bf16.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "model_golden.hpp"
#include "on_devices.cuh"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"

namespace {

using weft::Mesh, weft::Tensor;

/// A model on every device, and the folder from which a rank that needs a slice loads its own.
template <class Model>
struct Models {
  std::filesystem::path folder;
  OnDevices<Model> whole{folder};
};

/// Returns what work(engine) returns on rank 0 of a mesh.
template <class Model, class Work>
Tensor on_mesh(const Models<Model>& models, const Mesh& mesh, const Work& work) {
  Tensor out;
  weft::peer::launch(mesh.ranks(), [&models, &mesh, &work, &out](weft::peer::World& world) {
    std::optional<const Model> slice;
    if (mesh.tensor > 1)
      slice.emplace(models.folder, weft::Portion({}, weft::slice_of_rank(mesh, world.rank())));
    weft::Engine<Model, Full, weft::peer::World> engine(slice ? *slice : models.whole.on(world.device()),
                                                        mesh, world);
    Tensor own = work(engine);
    if (world.rank() == 0) out = std::move(own);
  });
  return out;
}

/// Compares results on random meshes of up to 4 ranks, none of whose keys are stale, with one rank's.
template <class Model, class Work>
void compare(const Models<Model>& models, weft::Index prompts, int branches, int steps, double bound,
             const Work& work) {
  const Tensor one = on_mesh(models, {}, work);
  RandomMeshes meshes;
  for (int trial = 0; trial < 12;) {
    Mesh mesh = meshes.sliced(models.whole.shape(), prompts, steps);
    if (branches == 1) mesh.cfg = 1;
    if (mesh.ranks() == 1 || mesh.ranks() > 4) continue;
    ++trial;
    CAPTURE(name_of(mesh));
    CHECK(relative_l2(on_mesh(models, mesh, work), one) <= bound);
  }
}

template <class Model>
void compare_evaluations(const char* name, double bound) {
  CAPTURE(name);
  const ModelGolden<Model> golden(name);
  const Models<Model> models{golden.folder / "model/transformer"};
  const auto evaluation = golden.evaluation("forward");
  compare(models, evaluation.latents.shape[0], 1, 1, bound,
          [&evaluation](auto& engine) { return engine.forward(evaluation); });
}

template <class Model>
void compare_loops(const char* name, const char* loop, double bound) {
  CAPTURE(name);
  const ModelGolden<Model> golden(name);
  const Models<Model> models{golden.folder / "model/transformer"};
  const auto request = golden.request(loop);
  compare(models, 1, static_cast<int>(request.branches()), static_cast<int>(request.sampler.size()), bound,
          [&request](auto& engine) { return engine.generate(request); });
}

}  // namespace

TEST_CASE("peer: loops of PixArt, SD3 and FLUX on any mesh equal one rank in float32") {
  using Backend = weft::Cuda<float>;
  compare_loops<weft::PixArt<Backend>>("pixart_sigma", "ddim", 1e-5);
  compare_loops<weft::SD3<Backend>>("sd3", "loop", 1e-5);
  compare_loops<weft::Flux<Backend>>("flux", "loop", 1e-5);
}

TEST_CASE("peer: evaluations of SD3 and FLUX on any mesh equal one rank in bfloat16") {
  using Backend = weft::Cuda<__nv_bfloat16, 16>;
  compare_evaluations<weft::SD3<Backend>>("sd3", 2e-2);
  compare_evaluations<weft::Flux<Backend>>("flux", 2e-2);
}
