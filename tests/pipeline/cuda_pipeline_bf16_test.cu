// Whole pipelines on one CUDA device in bfloat16, from prompts to images, against diffusers in float32.
#include <doctest/doctest.h>

#include <string>

#include "pipeline_golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"
#include "weft/model/flux.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/model/pixart.hpp"
#include "weft/model/sd3.hpp"
#include "weft/pipeline.hpp"
#include "without_t5.hpp"

namespace {

using Backend = weft::Cuda<__nv_bfloat16, 8, 16>;  // the heads of these small models
using World = weft::Solo<Backend::Queue>;

/// Compares a run with diffusers'. T5's states alone are off by up to 3.3e-2, and guidance multiplies the
/// difference between branches.
template <template <class> class ModelOn>
void check_run(const PipelineGolden& golden, const std::filesystem::path& folder, const std::string& run) {
  using Model = ModelOn<Backend>;
  CAPTURE(folder.string());
  CAPTURE(run);
  const weft::PipelineModels<Model> models(folder);
  World world;
  weft::Pipeline<Model, weft::Local, World> pipeline(models, {}, world);
  CHECK(relative_error(pipeline.generate(golden.request(run)), golden.image(run)) < 0.2);
}

template <template <class> class ModelOn>
void check_run(const char* name, const std::string& run = "run") {
  const PipelineGolden golden(name);
  check_run<ModelOn>(golden, golden.model(), run);
}

}  // namespace

TEST_CASE("Pipeline: in bfloat16, the images of all models are near those of diffusers") {
  check_run<weft::HunyuanDiT>("hunyuan_pipeline");
  check_run<weft::PixArt>("pipelines/pixart_sigma");
  check_run<weft::PixArt>("pipelines/pixart_alpha");
  check_run<weft::SD3>("pipelines/sd3");
  const PipelineGolden sd3("pipelines/sd3");
  check_run<weft::SD3>(sd3, WithoutT5(sd3.model()).path(), "run_without_t5");
  check_run<weft::Flux>("pipelines/flux_dev");
  check_run<weft::Flux>("pipelines/flux_schnell");
}
