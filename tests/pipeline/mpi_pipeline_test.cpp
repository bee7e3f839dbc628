// Whole pipelines in processes, from prompts to images. mpirun runs this with several.
#include "../comm/mpi_main.hpp"

#include "pipeline_golden.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/solo.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/pipeline.hpp"
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

using weft::Mesh;

namespace {

using Model = weft::HunyuanDiT<weft::Host>;
using Parallel = weft::DataParallel<
    weft::CfgParallel<weft::PipeFusion<weft::TensorParallel<weft::Ulysses<weft::Ring<>>>>>>;
using Pipeline = weft::Pipeline<Model, Parallel, weft::mpi::World>;
using Models = weft::PipelineModels<Model>;

const PipelineGolden golden("hunyuan_pipeline");

/// Returns one rank's image of a golden's request.
weft::Tensor image_alone(const char* name) {
  const Models models(golden.model());
  weft::Solo<weft::host::Queue> world;
  return weft::Pipeline<Model, weft::Local, weft::Solo<weft::host::Queue>>(models, {}, world)
      .generate(golden.request(name));
}

/// Checks that the processes of a mesh, each with its portion of the weights, make one rank's image of a
/// golden's request, on rank 0.
void check_image(const Mesh& mesh, const char* name) {
  CAPTURE(weft::name_of(mesh));
  CAPTURE(name);
  on_processes(mesh.ranks(), [&](weft::mpi::World& world) {
    const weft::DitShape shape =
        Model::Settings(weft::Config::read(golden.model() / "transformer/config.json")).shape();
    const weft::Portion portion = Pipeline::Engine::portion(mesh, world.rank(), shape);
    const Models models(golden.model(), {.blocks = portion.blocks, .slice = portion.slice});
    Pipeline pipeline(models, mesh, world);
    for (int i = 0; i < 2; ++i) {  // the second begins with its steps
      const weft::Tensor image = pipeline.generate(golden.request(name));
      CHECK(image.empty() == (world.rank() > 0));
      if (image.empty()) continue;
      CHECK(relative_error(image, golden.image(name)) < 1e-4);
      CHECK(relative_error(image, image_alone(name)) < 1e-5);
    }
  });
}

}  // namespace

TEST_CASE("Pipeline: processes make one rank's images, and diffusers'") {
  for (const Mesh& mesh : {Mesh{},
                           {.cfg = 2},
                           {.cfg = 2, .ulysses = 2},
                           {.cfg = 2, .tensor = 2},
                           {.pipe = 2, .ring = 2, .patches = 3, .warmup = 6}})
    check_image(mesh, "run");
  for (const Mesh& mesh : {Mesh{.data = 2}, {.data = 2, .cfg = 2}}) check_image(mesh, "run_batch");
}

TEST_CASE("Pipeline: a request that differs between processes is rejected on all, and the next is served") {
  on_processes(2, [](weft::mpi::World& world) {
    const Models models(golden.model());
    Pipeline pipeline(models, {.ulysses = 2}, world);
    weft::ImageRequest request = golden.request("run");
    request.steps = 1;
    request.step_noise = {};
    weft::ImageRequest other = request;
    if (world.rank() == 1) other.prompts = {"something else"};
    CHECK_THROWS_WITH_AS(static_cast<void>(pipeline.generate(other)),
                         doctest::Contains("rank 1 was asked for another prompt 0 than rank 0"),
                         weft::InvalidArgument);
    CHECK(pipeline.generate(request).empty() == (world.rank() > 0));
  });
}
