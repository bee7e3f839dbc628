// Whole pipelines of PixArt, SD3 and FLUX, from prompts to images, against diffusers.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "pipeline_golden.hpp"
#include "weft/backend/host.hpp"
#include "weft/model/flux.hpp"
#include "weft/model/pixart.hpp"
#include "weft/model/sd3.hpp"
#include "weft/pipeline.hpp"
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/ulysses.hpp"
#include "without_t5.hpp"

using weft::Mesh;
using weft::Tensor;

namespace {

using DataCfgUlysses = weft::DataParallel<weft::CfgParallel<weft::Ulysses<>>>;

/// Compares a run on meshes, twice on each, where the second one begins with its steps.
template <template <class> class Model>
void check_run(const PipelineGolden& golden, const std::filesystem::path& model, const std::string& run,
               const std::vector<Mesh>& meshes) {
  CAPTURE(model.string());
  CAPTURE(run);
  const weft::PipelineModels<Model<weft::Host>> models(model);
  const auto request = golden.request(run);
  const Tensor expected = golden.image(run);
  for (const Mesh& mesh : meshes) {
    CAPTURE(weft::name_of(mesh));
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      weft::Pipeline<Model<weft::Host>, DataCfgUlysses> pipeline(models, mesh, world);
      for (int i = 0; i < 2; ++i) {
        const Tensor images = pipeline.generate(request);
        if (world.rank() == 0) CHECK(relative_error(images, expected) < 1e-4);
      }
    });
  }
}

template <template <class> class Model>
void check_run(const char* name, const std::string& run, const std::vector<Mesh>& meshes) {
  const PipelineGolden golden(std::string("pipelines/") + name);
  check_run<Model>(golden, golden.model(), run, meshes);
}

}  // namespace

TEST_CASE("PixArt: prompts become the images that diffusers makes of them") {
  check_run<weft::PixArt>("pixart_sigma", "run", {{}, {.data = 2, .cfg = 2}, {.ulysses = 2}});
  check_run<weft::PixArt>("pixart_alpha", "run", {{}, {.cfg = 2}});
}

TEST_CASE("PixArt: an image of a bin is resized and cropped as diffusers does it") {
  check_run<weft::PixArt>("pixart_sigma", "run_binned", {{}});
}

TEST_CASE("SD3: prompts become the images that diffusers makes of them, with T5 and without") {
  check_run<weft::SD3>("sd3", "run", {{}, {.data = 2, .cfg = 2}, {.ulysses = 2}});
  const PipelineGolden golden("pipelines/sd3");
  check_run<weft::SD3>(golden, WithoutT5(golden.model()).path(), "run_without_t5", {{}});
}

TEST_CASE("FLUX: prompts become the images that diffusers makes of them, by dev and schnell") {
  check_run<weft::Flux>("flux_dev", "run", {{}, {.data = 2}, {.ulysses = 2}});
  check_run<weft::Flux>("flux_schnell", "run", {{}});
}
