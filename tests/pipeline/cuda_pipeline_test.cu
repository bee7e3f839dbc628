// Whole pipelines on CUDA devices in float32, from prompts to images, against diffusers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "pipeline_golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/model/flux.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/model/pixart.hpp"
#include "weft/model/sd3.hpp"
#include "weft/pipeline.hpp"
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/ulysses.hpp"
#include "without_t5.hpp"

using weft::Mesh;

namespace {

using Runs = std::vector<std::string>;

/// Returns the models on every device that so many ranks use.
template <class Models>
std::deque<Models> models_for(weft::Index ranks, const std::filesystem::path& folder) {
  std::deque<Models> out;
  for (weft::Index device = std::min<weft::Index>(weft::peer::device_count(), ranks); device-- > 0;) {
    weft::kernels::check(cudaSetDevice(static_cast<int>(device)), "choosing the device");
    out.emplace_front(folder);
  }
  return out;
}

/// Compares a golden's runs with diffusers' on each mesh, one after another in one pipeline, which begins a
/// repeated one with its steps.
template <template <class> class ModelOn>
void check_runs(const PipelineGolden& golden, const std::filesystem::path& folder, const Runs& runs,
                const std::vector<Mesh>& meshes) {
  using Model = ModelOn<weft::Cuda<float>>;
  using Pipeline = weft::Pipeline<Model, weft::CfgParallel<weft::Ulysses<>>, weft::peer::World>;
  CAPTURE(folder.string());
  weft::Index most = 1;
  for (const Mesh& mesh : meshes) most = std::max<weft::Index>(most, mesh.ranks());
  const auto models = models_for<weft::PipelineModels<Model>>(most, folder);
  for (const Mesh& mesh : meshes) {
    CAPTURE(weft::name_of(mesh));
    weft::peer::launch(mesh.ranks(), [&](weft::peer::World& world) {
      Pipeline pipeline(models[static_cast<std::size_t>(world.device())], mesh, world);
      for (const std::string& run : runs) {
        CAPTURE(run);
        const weft::Tensor images = pipeline.generate(golden.request(run));
        if (world.rank() == 0) CHECK(relative_error(images, golden.image(run)) < 1e-3);
      }
    });
  }
}

template <template <class> class ModelOn>
void check_runs(const char* name, const Runs& runs, const std::vector<Mesh>& meshes) {
  const PipelineGolden golden(name);
  check_runs<ModelOn>(golden, golden.model(), runs, meshes);
}

}  // namespace

TEST_CASE("HunyuanDiT: prompts become the images that diffusers makes, on one CUDA device and on several") {
  check_runs<weft::HunyuanDiT>("hunyuan_pipeline", {"run", "run", "run_batch"},
                               {{}, {.cfg = 2}, {.cfg = 2, .ulysses = 2}});
}

TEST_CASE("PixArt: prompts become the images that diffusers makes, on one CUDA device and on several") {
  check_runs<weft::PixArt>("pipelines/pixart_sigma", {"run", "run", "run_binned"}, {{}, {.cfg = 2}});
  check_runs<weft::PixArt>("pipelines/pixart_alpha", {"run", "run"}, {{}, {.ulysses = 2}});
}

TEST_CASE("SD3: prompts become the images that diffusers makes, with T5 and without") {
  check_runs<weft::SD3>("pipelines/sd3", {"run", "run"}, {{}, {.cfg = 2, .ulysses = 2}});
  const PipelineGolden golden("pipelines/sd3");
  check_runs<weft::SD3>(golden, WithoutT5(golden.model()).path(), {"run_without_t5"}, {{}, {.cfg = 2}});
}

TEST_CASE("FLUX: prompts become the images that diffusers makes, by dev and schnell") {
  check_runs<weft::Flux>("pipelines/flux_dev", {"run", "run"}, {{}, {.ulysses = 2}});
  check_runs<weft::Flux>("pipelines/flux_schnell", {"run", "run"}, {{}});
}
