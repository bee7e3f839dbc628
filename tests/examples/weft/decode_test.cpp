// The command `decode`.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "model_copy.hpp"
#include "png_image.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace {

const std::filesystem::path vae = goldens / "vae";

/// Latents of a golden in a file of their own, as denoise writes them.
struct Latents {
  TemporaryFolder folder;
  std::filesystem::path file;

  explicit Latents(const std::string& size)
      : Latents(weft::SafeTensors(vae / "inputs.safetensors").tensor("latents." + size)) {}
  explicit Latents(const weft::Tensor& tensor)
      : file(folder.write("latents.safetensors", weft::to_safetensors({{"latents", tensor}}))) {}

  Arguments line(const std::string& out, const std::filesystem::path& model = vae / "model") const {
    return {"decode", "--model", model, "--latents", file, "--out", folder / out};
  }
};

weft::Tensor golden_image(const std::string& size) {
  return tensor_in(vae / "expected.safetensors", ("image." + size).c_str());
}

}  // namespace

TEST_CASE("decode: a file of images as diffusers decodes them, on any ranks") {
  const Latents latents("12x10");
  for (const Arguments& ranks : {Arguments{}, Arguments{"--ranks", "3"}, Arguments{"--ranks", "16"}}) {
    const Outcome outcome = run(latents.line("images.safetensors") + ranks);
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    const weft::Tensor images = tensor_in(latents.folder / "images.safetensors", "image");
    CHECK(images.shape == weft::Shape{2, 3, 96, 80});
    CHECK(relative_error(images, golden_image("12x10")) < 1e-5);
  }
}

TEST_CASE("decode: PNG, one an image, and a trace") {
  const Latents latents("12x10");
  const Outcome outcome =
      run(latents.line("image.png") + Arguments{"--ranks", "2", "--trace", latents.folder / "trace.json"});
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  for (weft::Index i = 0; i < 2; ++i) {
    const Image image = image_in(latents.folder / ("image-" + std::to_string(i) + ".png"));
    CHECK(image.height == 96);
    CHECK(image.width == 80);
    CHECK(difference(image, golden_image("12x10").at(i)) <= 0.51);
  }
  CHECK(latents.folder.read("trace.json").find("bands") != std::string::npos);
  for (const char* phase : {"decode, on 2 ranks: ", "write, "})
    CHECK(outcome.out.find(phase) != std::string::npos);
}

TEST_CASE("decode: the folder of an autoencoder alone") {
  const Latents latents("6x4");
  CHECK(run(latents.line("image.png", vae / "model" / "vae")).code == 0);
  CHECK(image_in(latents.folder / "image.png").width == 32);
}

TEST_CASE("decode: what cannot be decoded is rejected, and nothing is written") {
  const auto reject = [](const Latents& latents, const Arguments& line, const std::string& text) {
    const Outcome outcome = run(line);
    CAPTURE(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.err.find(text) != std::string::npos);
    CHECK(std::ranges::count(outcome.err, '\n') == 1);
    CHECK(latents.folder.count() == 1);
  };
  const Latents latents("6x4"), wide(weft::Tensor({1, 16, 6, 4})), unbounded([] {
    weft::Tensor tensor({1, 4, 2, 2});
    tensor.data.back() = INFINITY;
    return tensor;
  }());
  reject(wide, wide.line("a.png"), "the latents have 16 channels, and this autoencoder decodes 4");
  reject(unbounded, unbounded.line("a.png"), "tensor latents holds inf and must be finite");
  reject(latents, latents.line("a.jpg"), "a.png would do");
  reject(latents, latents.line("a.png", goldens / "v12" / "model"), "vae/config.json");
  reject(latents, latents.line("a.png") + Arguments{"--ranks", "0"}, "--ranks: 0 is not a whole number");
  Arguments inputs = latents.line("a.png");
  inputs[4] = vae / "inputs.safetensors";
  reject(latents, inputs, "has no tensor latents");

  const ModelCopy copy(vae / "model");
  copy.edit("vae/config.json", "AutoencoderKL", "AutoencoderDC");
  reject(latents, latents.line("a.png", copy.path()), "_class_name is AutoencoderDC");
  const ModelCopy cut(vae / "model");
  cut.edit("vae/config.json", "\"layers_per_block\": 2", "\"layers_per_block\": 3");
  reject(latents, latents.line("a.png", cut.path()), "tensors are missing: decoder.up_blocks.0.resnets.3");
}
