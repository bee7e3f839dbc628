// Meshes of processes with a GPU each against one rank, and the traffic of their ranks. Every case runs on
// any number of ranks, with meshes of as many.
#include "../comm/nccl_main.cuh"

#include <cuda_bf16.h>

#include <type_traits>

#include "cases.hpp"
#include "staleness.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"

using weft::Index;
using weft::Tensor;
using weft::nccl::World;

namespace {

using Alone = weft::Solo<weft::cuda::Queue>;

template <class Element>
using DeviceModel = weft::HunyuanDiT<weft::Cuda<Element, 16, 88>>;

/// Generates on rank 0 alone.
template <class Element>
Tensor serial(const std::filesystem::path& transformer, const weft::Request<Prompt>& request) {
  if (all_processes->rank() != 0) return {};
  const DeviceModel<Element> model(transformer);
  Alone world;
  return weft::Engine<DeviceModel<Element>, weft::Local, Alone>(model, {}, world).generate(request);
}

/// Generates on a mesh; the result is on rank 0. Every process has only its portion of the weights.
template <class Element>
Tensor generate(const std::filesystem::path& transformer, const weft::DitShape& shape, const weft::Mesh& mesh,
                const weft::Request<Prompt>& request) {
  using Engine = weft::Engine<DeviceModel<Element>, Full, World>;
  const DeviceModel<Element> model(transformer, Engine::portion(mesh, all_processes->rank(), shape));
  Engine engine(model, mesh, *all_processes);
  Tensor out = engine.generate(request);
  CHECK(engine.loop_counts() == weft::QueueCounts());
  if (all_processes->rank() == 0)
    CHECK(engine.generate(request).data == out.data);
  else
    engine.generate(request);
  return out;
}

/// Returns meshes of as many ranks as there are processes, with or without stages.
std::vector<weft::Mesh> meshes(const weft::DitShape& model, bool with_stages, std::size_t count) {
  RandomMeshes random;
  std::vector<weft::Mesh> out;
  for (int tries = 0; out.size() < count && tries < 100000; ++tries) {
    const weft::Mesh mesh = random.sliced(model, 2, 2);
    const bool has_stages = mesh.pipe > 1 || mesh.patch_count() > 1;
    if (mesh.ranks() != all_processes->size() || has_stages != with_stages) continue;
    out.push_back(mesh);
  }
  if (!with_stages)
    for (const weft::Mesh& mesh :
         {weft::Mesh{.ulysses = all_processes->size()}, weft::Mesh{.ring = all_processes->size()}})
      if (mesh.ulysses <= model.heads) out.push_back(mesh);
  return out;
}

/// Returns how far a mesh may be from one rank: slices of matrices round each part of a sum, which one rank
/// rounds once.
template <class Element>
double tolerance_of(const weft::Mesh& mesh) {
  if (std::is_same_v<Element, float>) return 1e-5;
  return mesh.tensor > 1 ? 3e-2 : 2e-2;
}

template <class Element>
void compare(const char* name, bool with_stages, std::size_t count) {
  const Golden golden(name);
  int i = 0;
  for (const weft::Mesh& mesh : meshes(golden.shape(), with_stages, count)) {
    const auto request = two_images(golden, i, 2 * (5 + i % 3), 2 * (9 - i % 4));
    ++i;
    CAPTURE(name_of(mesh));
    if (all_processes->rank() == 0) MESSAGE(name << ": " << name_of(mesh));
    const auto transformer = golden.folder / "model/transformer";
    const Tensor together = generate<Element>(transformer, golden.shape(), mesh, request),
                 alone = serial<Element>(transformer, request);
    if (all_processes->rank() == 0) CHECK(relative_l2(together, alone) <= tolerance_of<Element>(mesh));
  }
}

}  // namespace

TEST_CASE("Meshes without stages equal one rank in float32") {
  compare<float>("v12", false, 4);
  compare<float>("v11_hd88", false, 2);
}

TEST_CASE("Meshes without stages equal one rank in bfloat16") { compare<__nv_bfloat16>("v12", false, 2); }

TEST_CASE("Meshes with stages and full warm-up equal one rank in float32") {
  compare<float>("v12", true, 4);
  compare<float>("v11_hd88", true, 2);
}

TEST_CASE("Meshes with stages and full warm-up equal one rank in bfloat16") {
  compare<__nv_bfloat16>("v12", true, 2);
}

TEST_CASE("The trained model's images equal one rank's, and stale keys cost what they cost on the host") {
  const int n = all_processes->size();
  if (n != 2 && n != 4) return;
  const Shapes shapes;
  const auto transformer = shapes.folder / "transformer";
  const auto request = staleness_request(shapes);
  const Tensor alone = serial<float>(transformer, request);
  const auto on_mesh = [&](const weft::Mesh& mesh) {
    return generate<float>(transformer, shapes.shape(), mesh, request);
  };
  const bool compares = all_processes->rank() == 0;
  for (const weft::Mesh& mesh :
       {weft::Mesh{.cfg = 2, .ulysses = n / 2}, weft::Mesh{.cfg = 2, .ring = n / 2}}) {
    const Tensor together = on_mesh(mesh);
    if (compares) CHECK(relative_l2(together, alone) <= 1e-4);
  }
  for (const auto& [patches, warmup, decibels] : staleness_rows) {
    CAPTURE(patches);
    CAPTURE(warmup);
    const Tensor together = on_mesh({.pipe = n, .patches = patches, .warmup = warmup});
    if (compares) CHECK(psnr(together, alone) == doctest::Approx(decibels).epsilon(0.01));
  }
}

TEST_CASE("Ranks send the bytes of the methods' formulas") {
  if (!is_eager()) return;  // what is replayed is not counted
  const int n = all_processes->size();
  if (n != 2 && n != 4) return;
  const Golden golden("v12");
  const TrafficLoop loop{golden};
  using Engine = weft::Engine<DeviceModel<float>, Full, World>;
  for (const auto& [mesh, axis, bytes] : loop.sendings(n)) {
    const Index before = bytes_sent(*all_processes, axis);
    const DeviceModel<float> model(golden.folder / "model/transformer",
                                   Engine::portion(mesh, all_processes->rank(), golden.shape()));
    Engine(model, mesh, *all_processes).generate(loop.request());
    CAPTURE(axis);
    CHECK(bytes_sent(*all_processes, axis) - before == bytes(all_processes->rank()));
  }
}
