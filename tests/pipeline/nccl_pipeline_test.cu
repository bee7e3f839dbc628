// Whole pipelines in processes with a GPU each, from prompts to images, against diffusers. Every case runs on
// any number of ranks, with meshes of as many.
#include "../comm/nccl_main.cuh"
#include "pipeline_golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/pipeline.hpp"
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/ulysses.hpp"

using weft::Mesh;

namespace {

using Model = weft::HunyuanDiT<weft::Cuda<float>>;
using Parallel = weft::CfgParallel<weft::PipeFusion<weft::Ulysses<weft::Ring<>>>>;
using Pipeline = weft::Pipeline<Model, Parallel, weft::nccl::World>;

}  // namespace

TEST_CASE(
    "Pipeline: processes make the images that diffusers makes, each with the weights of its own blocks") {
  const int n = all_processes->size();
  const PipelineGolden golden("hunyuan_pipeline");
  const std::filesystem::path folder = golden.model();
  const weft::DitShape shape =
      Model::Settings(weft::Config::read(folder / "transformer/config.json")).shape();
  for (const Mesh& mesh : {Mesh{.cfg = 2 - n % 2, .ulysses = n / (2 - n % 2)}, Mesh{.ring = n},
                           Mesh{.pipe = 2 - n % 2, .ring = n / (2 - n % 2), .patches = 3, .warmup = 6}}) {
    if (mesh.ulysses > shape.heads) continue;
    CAPTURE(weft::name_of(mesh));
    const weft::PipelineModels<Model> models(
        folder, {.blocks = Pipeline::Engine::blocks(mesh, all_processes->rank(), shape)});
    Pipeline pipeline(models, mesh, *all_processes);
    for (int i = 0; i < 2; ++i) {  // the second begins with its steps
      const weft::Tensor image = pipeline.generate(golden.request("run"));
      CHECK(image.empty() == (all_processes->rank() > 0));
      if (!image.empty()) CHECK(relative_error(image, golden.image("run")) < 1e-3);
    }
  }
}
