// Any mesh of processes with a GPU against one rank, and what its ranks send. Every case is for any number of
// ranks, and takes meshes of as many.
#include "../comm/nccl_main.cuh"

#include <cuda_bf16.h>

#include "golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"

using weft::Index;
using weft::Tensor;
using weft::nccl::World;

namespace {

using Alone = weft::Solo<weft::cuda::Queue>;

template <class Element>
using DeviceModel = weft::HunyuanDiT<weft::Cuda<Element, 16, 88>>;

/// On rank 0, alone.
template <class Element>
Tensor serial(const Golden& golden, const weft::Request<Prompt>& request) {
  if (all_processes->rank() != 0) return {};
  const DeviceModel<Element> model(golden.folder / "model/transformer");
  Alone world;
  return weft::Engine<DeviceModel<Element>, weft::Local, Alone>(model, {}, world).generate(request);
}

/// On rank 0. Every process has the weights of its own blocks alone.
template <class Element>
Tensor generate(const Golden& golden, const weft::Mesh& mesh, const weft::Request<Prompt>& request) {
  using Engine = weft::Engine<DeviceModel<Element>, Full, World>;
  const DeviceModel<Element> model(golden.folder / "model/transformer",
                                   Engine::blocks(mesh, all_processes->rank(), golden.model.shape()));
  Engine engine(model, mesh, *all_processes);
  Tensor out = engine.generate(request);
  CHECK(engine.loop_counts() == weft::QueueCounts());
  if (all_processes->rank() == 0)
    CHECK(engine.generate(request).data == out.data);
  else
    engine.generate(request);
  return out;
}

/// Meshes of as many ranks as there are processes, some with stages or none.
std::vector<weft::Mesh> meshes(const weft::DitShape& model, int steps, bool with_stages, std::size_t count) {
  RandomMeshes random;
  std::vector<weft::Mesh> out;
  for (int tries = 0; out.size() < count && tries < 100000; ++tries) {
    const weft::Mesh mesh = random(model, 2, steps);
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

template <class Element>
void compare(const char* name, bool with_stages, std::size_t count, double tolerance) {
  const Golden golden(name);
  const int steps = 2;
  int i = 0;
  for (const weft::Mesh& mesh : meshes(golden.model.shape(), steps, with_stages, count)) {
    auto request = golden.request("ddpm");
    request.sampler = weft::make_sampler(i % 2 ? "ddpm" : "dpmpp", golden.schedule(), steps);
    request.noise = request.step_noise = {};
    request.prompts.push_back(request.negatives[0]);
    request.negatives.push_back(request.prompts[0]);
    request.height = 2 * (5 + i % 3), request.width = 2 * (9 - i % 4);
    request.guidance_rescale = i % 3 ? 0 : 0.5f;
    request.seed = static_cast<std::uint64_t>(i++);
    CAPTURE(name_of(mesh));
    if (all_processes->rank() == 0) MESSAGE(name << ": " << name_of(mesh));
    const Tensor together = generate<Element>(golden, mesh, request),
                 alone = serial<Element>(golden, request);
    if (all_processes->rank() == 0) CHECK(relative_l2(together, alone) <= tolerance);
  }
}

}  // namespace

TEST_CASE("Meshes without stages equal one rank in float32") {
  compare<float>("v12", false, 4, 1e-5);
  compare<float>("v11_hd88", false, 2, 1e-5);
}

TEST_CASE("Meshes without stages equal one rank in bfloat16") {
  compare<__nv_bfloat16>("v12", false, 2, 2e-2);
}

TEST_CASE("Meshes with stages and full warm-up equal one rank in float32") {
  compare<float>("v12", true, 4, 1e-5);
  compare<float>("v11_hd88", true, 2, 1e-5);
}

TEST_CASE("Meshes with stages and full warm-up equal one rank in bfloat16") {
  compare<__nv_bfloat16>("v12", true, 2, 2e-2);
}

TEST_CASE("Ranks send the bytes of the methods' formulas") {
  if (!is_eager()) return;  // what is replayed is not counted
  const int n = all_processes->size();
  const Golden golden("v12");
  const Index steps = 2, blocks = golden.model.shape().blocks;
  auto request = golden.request("ddim");
  request.step_noise = {};
  request.sampler = weft::make_sampler("ddim", golden.schedule(), static_cast<int>(steps));
  const Index activations =
      64 * golden.model.shape().width * 4;  // of one branch, of 8 × 8 tokens, in float32
  using Engine = weft::Engine<DeviceModel<float>, Full, World>;
  const DeviceModel<float> model(golden.folder / "model/transformer");
  const auto check = [&](const weft::Mesh& mesh, const char* axis, Index expected) {
    const auto sent = [axis] {
      const auto at = all_processes->traffic().find(axis);
      return at == all_processes->traffic().end() ? 0 : at->second.bytes;
    };
    const Index before = sent();
    Engine(model, mesh, *all_processes).generate(request);
    CAPTURE(axis);
    CHECK(sent() - before == expected);
  };
  if (n == 2 || n == 4) {
    check({.ulysses = n}, "ulysses", steps * 4 * (n - 1) * 2 * activations * blocks / (n * n));
    check({.ring = n}, "ring", steps * 2 * (n - 1) * 2 * activations * blocks / n);
    const bool is_end = all_processes->rank() == 0 || all_processes->rank() == n - 1;
    check({.pipe = n, .patches = n + 1}, "pipe", (is_end ? 1 : 2) * steps * 2 * activations);
  }
  if (n == 2) check({.cfg = 2}, "cfg", steps * 4 * 16 * 16 * 4);
}
