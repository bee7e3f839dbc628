#include <doctest/doctest.h>

#include "command.hpp"
#include "png_image.hpp"

namespace {

std::string second_caption() { return "a green ring above a yellow cross on black"; }

Arguments generate(const Arguments& more) {
  return Arguments{"generate", "--model", shapes, "--prompt", caption} + more;
}

}  // namespace

TEST_CASE("the shapes are what diffusers generates, to one grey level") {
  const TemporaryFolder folder;
  const auto golden = goldens / "shapes_ddim20.safetensors";
  for (const Arguments& mesh : {Arguments{}, Arguments{"--data", "2", "--ulysses", "2"}}) {
    const Outcome outcome =
        run(generate({"--prompt", second_caption(), "--noise", golden, "--scheduler", "ddim", "--steps", "20",
                      "--guidance", "4", "--out", folder / "shapes.png"}) +
            mesh);
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(folder.count() == 2);
    const weft::Tensor expected = tensor_in(golden, "image");
    for (weft::Index i = 0; i < 2; ++i) {
      const Image image = image_in(folder / ("shapes-" + std::to_string(i) + ".png"));
      CHECK(image.height == 64);
      CHECK(image.width == 64);
      CHECK(difference(image, expected.at(i)) <= 1);
    }
  }
}

TEST_CASE("the same line generates the same bytes") {
  const TemporaryFolder folder;
  const Arguments line =
      generate({"--steps", "3", "--seed", "18446744073709551615", "--out", folder / "image.png"});
  for (const Arguments& mesh : {Arguments{}, Arguments{"--cfg", "2", "--ulysses", "2"}}) {
    REQUIRE(run(line + mesh).code == 0);
    const std::string first = folder.read("image.png");
    REQUIRE(run(line + mesh).code == 0);
    CHECK(folder.read("image.png") == first);
  }
  const std::string first = folder.read("image.png");
  REQUIRE(run(generate({"--steps", "3", "--seed", "1", "--out", folder / "image.png"})).code == 0);
  CHECK(folder.read("image.png") != first);
}

TEST_CASE("sizes, latents and what is printed") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run(generate({"--steps", "2", "--scheduler", "dpmpp", "--guidance-rescale", "0.5", "--negative",
                    "a red ring", "--height", "32", "--width", "48", "--out", folder / "image.png",
                    "--latents-out", folder / "latents.safetensors"}));
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  const Image image = image_in(folder / "image.png");
  CHECK(image.height == 32);
  CHECK(image.width == 48);
  const weft::Tensor latents = tensor_in(folder / "latents.safetensors", "latents");
  CHECK(latents.shape == weft::Shape{1, 3, 32, 48});
  CHECK(difference(image, latents.at(0)) <= 0.5);
  CHECK(outcome.err == "step 1 of 2\nstep 2 of 2\n");
  for (const char* phase : {"load: ", "generate, 2 steps on 1 rank: ", "write, "})
    CHECK(outcome.out.find(phase) != std::string::npos);
  CHECK(outcome.out.find((folder / "image.png").string()) != std::string::npos);
}

TEST_CASE("help") {
  for (const Arguments& line :
       {Arguments{"--help"}, Arguments{"generate", "--help"}, Arguments{"denoise", "-h"}}) {
    const Outcome outcome = run(line);
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK(outcome.out.find("Usage: weft") != std::string::npos);
  }
}
