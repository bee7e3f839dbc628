// One CUDA device against diffusers.
#include <doctest/doctest.h>

#include "golden.hpp"
#include "host_reference.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"

namespace {

using World = weft::Solo<weft::cuda::Queue>;

/// A golden's model on the device, with an engine.
template <class Element>
struct OnDevice {
  using Model = weft::HunyuanDiT<weft::Cuda<Element, 16, 88>>;

  explicit OnDevice(const Golden& golden) : model(golden.folder / "model/transformer") {}

  Model model;
  World world;
  weft::Engine<Model, weft::Local, World> engine{model, {}, world};
};

/// Returns the relative L2 error of one evaluation against diffusers in float32.
template <class Element>
double forward_error(const Golden& golden) {
  OnDevice<Element> device(golden);
  const weft::Tensor sample = device.engine.forward(golden.evaluation());
  CHECK(device.engine.forward(golden.evaluation()).data == sample.data);
  return relative_l2(sample, golden.file("forward_expected").tensor("sample"));
}

template <class Element>
double loop_error(const Golden& golden, const std::string& loop) {
  OnDevice<Element> device(golden);
  const weft::Tensor latents = device.engine.generate(golden.request(loop));
  CHECK(device.engine.loop_counts() == weft::QueueCounts());
  CHECK(device.engine.generate(golden.request(loop)).data == latents.data);
  return relative_l2(latents, golden.file(loop + "_expected").tensor("latents"));
}

}  // namespace

static_assert(weft::Backend<weft::Cuda<float>>);
static_assert(weft::Backend<weft::Cuda<__nv_bfloat16, 16, 88>>);
static_assert(weft::Communicator<World>);

TEST_CASE("One evaluation equals diffusers, with the same bits every time") {
  for (const char* name : {"v12", "v11_hd88"}) {
    CAPTURE(name);
    const Golden golden(name);
    CHECK(forward_error<float>(golden) <= 1e-5);
    CHECK(forward_error<__half>(golden) <= 2e-3);
    CHECK(forward_error<__nv_bfloat16>(golden) <= 2e-2);
  }
}

TEST_CASE("Every loop equals diffusers at its end") {
  const Golden v12("v12"), v11("v11_hd88");
  for (const char* loop : {"ddpm", "ddim", "dpmpp", "ddpm_rescale"}) {
    CAPTURE(loop);
    CHECK(loop_error<float>(v12, loop) <= 1e-4);
  }
  CHECK(loop_error<float>(v11, "ddpm") <= 1e-4);
}

TEST_CASE("noise from a seed equals the host's up to rounding of logarithm and cosine") {
  const Golden golden("v12");
  auto request = golden.request("ddpm");
  request.noise = request.step_noise = {};
  OnDevice<float> device(golden);
  CHECK(relative_l2(device.engine.generate(request), generate_on_host(golden, {}, request)) <= 1e-5);
}
