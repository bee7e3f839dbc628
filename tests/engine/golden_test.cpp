// Results of one rank against those of diffusers.
#include <doctest/doctest.h>

#include "worlds.hpp"

TEST_CASE("One evaluation equals diffusers") {
  for (const char* name : {"v12", "v11_hd88"}) {
    CAPTURE(name);
    const HostGolden golden(name);
    const auto sample = forward<weft::Local>(golden.model, {}, golden.evaluation());
    CHECK(relative_l2(sample, golden.file("forward_expected").tensor("sample")) <= 1e-5);
  }
}

TEST_CASE("Every loop equals diffusers at its end") {
  const auto check = [](const HostGolden& golden, const std::string& loop) {
    CAPTURE(loop);
    const auto latents = generate<weft::Local>(golden.model, {}, golden.request(loop));
    CHECK(relative_l2(latents, golden.file(loop + "_expected").tensor("latents")) <= 1e-4);
  };
  const HostGolden v12("v12"), v11("v11_hd88");
  for (const char* loop : {"ddpm", "ddim", "dpmpp", "ddpm_rescale"}) check(v12, loop);
  check(v11, "ddpm");
}

TEST_CASE("The trained model generates diffusers' images to within a grey level") {
  const HostShapes shapes;
  const weft::SafeTensors expected(WEFT_GOLDENS_DIR "/shapes_ddim20.safetensors");
  auto request = shapes.request(
      {"a red circle left of a blue square on gray", "a green ring above a yellow cross on black"}, 20);
  request.noise = expected.tensor("noise");
  const weft::Tensor images = generate<weft::Local>(shapes.model, {}, request);
  const weft::Tensor right = expected.tensor("image");
  REQUIRE(images.shape == right.shape);
  const auto level = [](float x) { return std::lround((std::clamp(x, -1.0f, 1.0f) + 1) * 127.5f); };
  long worst = 0;
  for (std::size_t i = 0; i < images.data.size(); ++i)
    worst = std::max(worst, std::abs(level(images.data[i]) - level(right.data[i])));
  CHECK(worst <= 1);
}

TEST_CASE("An engine serves one request after another, with the same bits for the same request") {
  const HostGolden golden("v12");
  const auto first = golden.request("ddim"), second = golden.request("dpmpp");
  weft::launch(1, [&](weft::threads::World& world) {
    weft::Engine<Model> engine(golden.model, {}, world);
    const weft::Tensor once = engine.generate(first);
    CHECK(engine.loop_counts() == weft::QueueCounts());
    CHECK(engine.generate(second).data != once.data);
    const weft::Tensor sample = engine.forward(golden.evaluation());
    CHECK(engine.generate(first).data == once.data);
    CHECK(engine.forward(golden.evaluation()).data == sample.data);
  });
}
