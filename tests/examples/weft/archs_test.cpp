// The table of architectures: every row reads as settings, and makes a model of the published size.
#include "../../../examples/weft/input/archs.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <variant>

namespace {

using command::archs, command::arch_named;

struct Shape {
  weft::Index blocks, width, head_dim, patch, channels;
};

}  // namespace

TEST_CASE("every architecture has the shape that was published") {
  const std::map<std::string_view, Shape> published{
      {"hunyuan-v1.2", {40, 1408, 88, 2, 4}},  {"pixart-alpha", {28, 1152, 72, 2, 4}},
      {"pixart-sigma", {28, 1152, 72, 2, 4}},  {"sd3-medium", {24, 1536, 64, 2, 16}},
      {"sd3.5-medium", {24, 1536, 64, 2, 16}}, {"sd3.5-large", {38, 2432, 64, 2, 16}},
      {"flux-dev", {57, 3072, 128, 2, 16}},    {"flux-schnell", {57, 3072, 128, 2, 16}}};
  REQUIRE(archs.size() == published.size());
  for (const command::Arch& arch : archs) {
    CAPTURE(std::string(arch.name));
    const weft::DitShape shape = command::shape_of(settings_of(arch));
    const Shape& expected = published.at(arch.name);
    CHECK(shape.blocks == expected.blocks);
    CHECK(shape.width == expected.width);
    CHECK(shape.head_dim == expected.head_dim);
    CHECK(shape.patch == expected.patch);
    CHECK(shape.channels == expected.channels);
  }
}

TEST_CASE("guidance is an input of FLUX's dev, and a branch of the other models but schnell") {
  const auto flux = [](const char* name) {
    return std::get<weft::FluxConfig>(settings_of(arch_named(name)));
  };
  CHECK(flux("flux-dev").embeds_guidance);
  CHECK_FALSE(flux("flux-schnell").embeds_guidance);
  for (const command::Arch& arch : archs)
    CHECK(command::guidance_branches(settings_of(arch)) == (arch.name.starts_with("flux") ? 1 : 2));
}

TEST_CASE("HunyuanDiT is the default, and reads as many text tokens as its settings say") {
  CHECK(archs.front().name == "hunyuan-v1.2");
  CHECK(std::get<weft::HunyuanConfig>(settings_of(archs.front())).text_length() == archs.front().text_tokens);
}

TEST_CASE("a name that is none") {
  CHECK_THROWS_WITH_AS(static_cast<void>(arch_named("flux")),
                       "there is no architecture flux; there are hunyuan-v1.2, pixart-alpha, pixart-sigma, "
                       "sd3-medium, sd3.5-medium, sd3.5-large, flux-dev and flux-schnell",
                       weft::InvalidArgument);
}
