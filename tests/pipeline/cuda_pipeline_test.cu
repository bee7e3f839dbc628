// Whole pipelines on CUDA devices, from prompts to images, against diffusers.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "pipeline_golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/pipeline.hpp"
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/ulysses.hpp"

using weft::Mesh;

namespace {

const PipelineGolden golden("hunyuan_pipeline");

using Model = weft::HunyuanDiT<weft::Cuda<float>>;
using Pipeline = weft::Pipeline<Model, weft::CfgParallel<weft::Ulysses<>>, weft::peer::World>;
using Models = std::deque<weft::PipelineModels<Model>>;

/// Returns the models on every device that so many ranks use.
Models models_for(int ranks) {
  Models out;
  for (int device = std::min(weft::peer::device_count(), ranks); device-- > 0;) {
    weft::kernels::check(cudaSetDevice(device), "choosing the device");
    out.emplace_front(golden.model());
  }
  return out;
}

}  // namespace

TEST_CASE("prompts become the images that diffusers makes of them, on one CUDA device and on several") {
  const Models models = models_for(4);
  for (const Mesh& mesh : {Mesh{}, Mesh{.cfg = 2}, Mesh{.cfg = 2, .ulysses = 2}}) {
    CAPTURE(weft::name_of(mesh));
    weft::peer::launch(mesh.ranks(), [&models, &mesh](weft::peer::World& world) {
      Pipeline pipeline(models[static_cast<std::size_t>(world.device())], mesh, world);
      for (const char* name : {"run", "run", "run_batch"}) {  // the second begins with its steps
        const weft::Tensor images = pipeline.generate(golden.request(name));
        if (world.rank() == 0) CHECK(relative_error(images, golden.image(name)) < 1e-3);
      }
    });
  }
}
