// FP8 on one CUDA device against diffusers in float32.
#include <doctest/doctest.h>

#include "staleness.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"

namespace {

using Backend = weft::Cuda<__nv_fp8_e4m3, 16, 48, 88>;
using Fp8Model = weft::HunyuanDiT<Backend>;
using World = weft::Solo<Backend::Queue>;

struct OnDevice {
  explicit OnDevice(const std::filesystem::path& folder) : model(folder) {}

  Fp8Model model;
  World world;
  weft::Engine<Fp8Model, weft::Local, World> engine{model, {}, world};
};

}  // namespace

static_assert(weft::Backend<Backend>);

TEST_CASE("goldens in FP8: the error is that of three bits of mantissa, with the same bits every time") {
  for (const char* name : {"v12", "v11_hd88"}) {
    CAPTURE(name);
    const Golden golden(name);
    OnDevice device(golden.folder / "model/transformer");
    const weft::Tensor sample = device.engine.forward(golden.evaluation());
    CHECK(device.engine.forward(golden.evaluation()).data == sample.data);
    const double forward = relative_l2(sample, golden.file("forward_expected").tensor("sample"));
    const weft::Tensor latents = device.engine.generate(golden.request("ddpm"));
    CHECK(device.engine.loop_counts() == weft::QueueCounts());
    const double loop = relative_l2(latents, golden.file("ddpm_expected").tensor("latents"));
    MESSAGE(name << ": relative L2 of a forward " << forward << ", of the loop " << loop);
    CHECK(forward <= 0.11);
    CHECK(loop <= 0.16);
  }
}

TEST_CASE("the trained model's images in FP8 are near those in float32") {
  const Shapes shapes;
  const weft::SafeTensors expected(WEFT_GOLDENS_DIR "/shapes_ddim20.safetensors");
  auto request = staleness_request(shapes);
  request.noise = expected.tensor("noise");
  OnDevice device(shapes.folder / "transformer");
  const weft::Tensor images = device.engine.generate(request);
  CHECK(device.engine.loop_counts() == weft::QueueCounts());
  CHECK(device.engine.generate(request).data == images.data);
  const double found = psnr(images, expected.tensor("image"));
  MESSAGE("PSNR against diffusers in float32: " << found << " dB");
  CHECK(found >= 33);  // orders of summation alone scatter it from 33.9 to 35.0
}
