// SD3 and FLUX on one CUDA device against diffusers.
#include <doctest/doctest.h>

#include "model_golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"

namespace {

using World = weft::Solo<weft::cuda::Queue>;

template <class Model>
double forward_error(const char* name, const std::string& file) {
  const ModelGolden<Model> golden(name);
  World world;
  weft::Engine<Model, weft::Local, World> engine(golden.model, {}, world);
  const weft::Tensor sample = engine.forward(golden.evaluation(file));
  CHECK(engine.forward(golden.evaluation(file)).data == sample.data);
  return relative_l2(sample, golden.sample(file));
}

template <class Model>
double loop_error(const char* name, const std::string& loop) {
  const ModelGolden<Model> golden(name);
  World world;
  weft::Engine<Model, weft::Local, World> engine(golden.model, {}, world);
  return relative_l2(engine.generate(golden.request(loop)),
                     golden.file(loop + "_expected").tensor("latents"));
}

/// Checks one evaluation in the numbers of `Element` against a bound.
template <class Element>
void check_evaluations(double bound) {
  using Backend = weft::Cuda<Element, 16>;
  CHECK(forward_error<weft::SD3<Backend>>("sd3", "forward") <= bound);
  CHECK(forward_error<weft::SD3<Backend>>("sd3", "forward_wide") <= bound);
  CHECK(forward_error<weft::SD3<Backend>>("sd3_medium", "forward") <= bound);
  CHECK(forward_error<weft::Flux<Backend>>("flux", "forward") <= bound);
}

}  // namespace

TEST_CASE("One evaluation of SD3 and FLUX equals diffusers") {
  check_evaluations<float>(1e-5);
  check_evaluations<__half>(3e-3);
  check_evaluations<__nv_bfloat16>(3e-2);
}

TEST_CASE("Loops of SD3 and FLUX equal diffusers at their end") {
  using Backend = weft::Cuda<float>;
  CHECK(loop_error<weft::SD3<Backend>>("sd3", "loop") <= 1e-4);
  CHECK(loop_error<weft::Flux<Backend>>("flux", "loop") <= 1e-4);
}
