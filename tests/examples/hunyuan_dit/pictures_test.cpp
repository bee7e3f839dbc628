#include <doctest/doctest.h>
#include <png.h>

#include <algorithm>
#include <cstdint>

#include "command.hpp"

namespace {

struct Picture {
  weft::Index height, width;
  std::vector<png_byte> levels;  // (height, width, 3)
};

Picture picture_in(const std::filesystem::path& file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&image, file.c_str())) throw std::runtime_error(image.message);
  image.format = PNG_FORMAT_RGB;
  Picture picture{image.height, image.width, std::vector<png_byte>(PNG_IMAGE_SIZE(image))};
  if (!png_image_finish_read(&image, nullptr, picture.levels.data(), 0, nullptr))
    throw std::runtime_error(image.message);
  return picture;
}

/// The largest difference to a state (3, height, width), in grey levels.
double difference(const Picture& picture, const weft::Tensor& state) {
  double most = 0;
  for (weft::Index y = 0; y < picture.height; ++y)
    for (weft::Index x = 0; x < picture.width; ++x)
      for (weft::Index c = 0; c < 3; ++c) {
        const float wanted = (std::clamp(state.view<3>()[c][y][x], -1.0f, 1.0f) + 1) * 127.5f;
        const auto at = static_cast<std::size_t>((y * picture.width + x) * 3 + c);
        most = std::max(most, std::abs(static_cast<double>(picture.levels[at]) - wanted));
      }
  return most;
}

std::string second_caption() { return "a green ring above a yellow cross on black"; }

Arguments paint(const Arguments& more) {
  return Arguments{"generate", "--model", shapes, "--prompt", caption} + more;
}

}  // namespace

TEST_CASE("the shapes are what diffusers paints, to one grey level") {
  const TemporaryFolder folder;
  const auto golden = goldens / "shapes_ddim20.safetensors";
  for (const Arguments& mesh : {Arguments{}, Arguments{"--data", "2", "--ulysses", "2"}}) {
    const Outcome outcome = run(paint({"--prompt", second_caption(), "--noise", golden, "--scheduler", "ddim",
                                       "--steps", "20", "--guidance", "4", "--out", folder / "shapes.png"}) +
                                mesh);
    CAPTURE(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(folder.count() == 2);
    const weft::Tensor expected = tensor_in(golden, "image");
    for (weft::Index i = 0; i < 2; ++i) {
      const Picture picture = picture_in(folder / ("shapes-" + std::to_string(i) + ".png"));
      CHECK(picture.height == 64);
      CHECK(picture.width == 64);
      CHECK(difference(picture, expected.at(i)) <= 1);
    }
  }
}

TEST_CASE("the same line paints the same bytes") {
  const TemporaryFolder folder;
  const Arguments line =
      paint({"--steps", "3", "--seed", "18446744073709551615", "--out", folder / "picture.png"});
  for (const Arguments& mesh : {Arguments{}, Arguments{"--cfg", "2", "--ulysses", "2"}}) {
    REQUIRE(run(line + mesh).code == 0);
    const std::string first = folder.read("picture.png");
    REQUIRE(run(line + mesh).code == 0);
    CHECK(folder.read("picture.png") == first);
  }
  const std::string first = folder.read("picture.png");
  REQUIRE(run(paint({"--steps", "3", "--seed", "1", "--out", folder / "picture.png"})).code == 0);
  CHECK(folder.read("picture.png") != first);
}

TEST_CASE("sizes, states and what is said") {
  const TemporaryFolder folder;
  const Outcome outcome = run(paint({"--steps", "2", "--scheduler", "dpmpp", "--guidance-rescale", "0.5",
                                     "--negative", "a red ring", "--height", "32", "--width", "48", "--out",
                                     folder / "picture.png", "--latents-out", folder / "state.safetensors"}));
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  const Picture picture = picture_in(folder / "picture.png");
  CHECK(picture.height == 32);
  CHECK(picture.width == 48);
  const weft::Tensor state = tensor_in(folder / "state.safetensors", "latents");
  CHECK(state.shape == weft::Shape{1, 3, 32, 48});
  CHECK(difference(picture, state.at(0)) <= 0.5);
  CHECK(outcome.err == "step 1 of 2\nstep 2 of 2\n");
  for (const char* phase : {"load: ", "paint, 2 steps on 1 rank: ", "write, "})
    CHECK(outcome.out.find(phase) != std::string::npos);
  CHECK(outcome.out.find((folder / "picture.png").string()) != std::string::npos);
}

TEST_CASE("help") {
  for (const Arguments& line :
       {Arguments{"--help"}, Arguments{"generate", "--help"}, Arguments{"denoise", "-h"}}) {
    const Outcome outcome = run(line);
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK(outcome.out.find("Usage: hunyuan_dit") != std::string::npos);
  }
}
