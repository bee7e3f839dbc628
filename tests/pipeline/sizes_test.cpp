// Sizes of images and their levels, as diffusers' pipelines have them.
#include <doctest/doctest.h>

#include <cmath>

#include "weft/pipeline/image_sizes.hpp"
#include "weft/pipeline/levels.hpp"
#include "weft/pipeline/resized.hpp"

using doctest::Contains;
using weft::Index;
using weft::InvalidArgument;
using weft::Tensor;
using namespace weft::pipeline;

namespace {

const PipelineClass& named(const char* name) {
  return pipeline_class(weft::Config("{\"_class_name\": \"" + std::string(name) + "\"}", "model_index.json"));
}
const PipelineClass &hunyuan = named("HunyuanDiTPipeline"), &sigma = named("PixArtSigmaPipeline"),
                    &sd3 = named("StableDiffusion3Pipeline"), &flux = named("FluxPipeline");

constexpr PixelScale scale{8, 2};

PixelSize generated(const PipelineClass& pipeline, PixelSize asked, std::optional<bool> bins = {},
                    Index native = 1024) {
  return image_sizes(pipeline, asked, native, scale, bins).generated;
}

}  // namespace

TEST_CASE("HunyuanDiT: a size of the list stays, others become the nearest area of the nearest ratio") {
  for (const PixelSize size : {PixelSize{1024, 1024}, {1280, 1280}, {768, 1024}, {1152, 864}, {768, 1280}})
    CHECK(generated(hunyuan, size) == size);
  CHECK(generated(hunyuan, {512, 512}) == PixelSize{1024, 1024});
  CHECK(generated(hunyuan, {1200, 1200}) == PixelSize{1280, 1280});
  CHECK(generated(hunyuan, {860, 1150}) == PixelSize{864, 1152});
  CHECK(generated(hunyuan, {1150, 860}) == PixelSize{1152, 864});
  CHECK(generated(hunyuan, {720, 1280}) == PixelSize{768, 1280});
  CHECK(generated(hunyuan, {2048, 1024}) == PixelSize{1280, 768});
  CHECK(image_sizes(hunyuan, {512, 512}, 1024, scale).final == PixelSize{1024, 1024});
}

TEST_CASE("HunyuanDiT and FLUX floor sizes to whole tokens, and the others reject them") {
  CHECK(generated(hunyuan, {135, 200}, false) == PixelSize{128, 192});
  CHECK(generated(flux, {1023, 777}) == PixelSize{1008, 768});
  CHECK_THROWS_WITH_AS(generated(sd3, {1000, 1024}), Contains("multiple of 16; 1008 would do"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(generated(sigma, {1000, 1024}, false), Contains("multiple of 16"), InvalidArgument);
  CHECK_THROWS_WITH_AS(generated(hunyuan, {8, 1024}, false), Contains("the height is 8"), InvalidArgument);
  CHECK_THROWS_WITH_AS(generated(hunyuan, {0, 1024}), Contains("the height is 0"), InvalidArgument);
  CHECK_THROWS_WITH_AS(generated(sigma, {1024, -3}), Contains("the width is -3"), InvalidArgument);
}

TEST_CASE("PixArt: the bin of the nearest ratio, then the size that was asked for") {
  const auto binned = [](PixelSize asked, Index native) { return generated(sigma, asked, {}, native); };
  CHECK(binned({1000, 1000}, 1024) == PixelSize{1024, 1024});
  CHECK(binned({1080, 1920}, 1024) == PixelSize{768, 1344});
  CHECK(binned({1920, 1080}, 1024) == PixelSize{1344, 768});
  CHECK(binned({100, 1000}, 1024) == PixelSize{512, 2048});
  CHECK(binned({300, 100}, 512) == PixelSize{864, 288});
  CHECK(binned({256, 512}, 256) == PixelSize{176, 352});
  CHECK(binned({290, 100}, 1024) == PixelSize{1728, 576});   // 3.0 of 1024
  CHECK(binned({290, 100}, 2048) == PixelSize{3328, 1152});  // and 2.89, which 2048 has alone
  CHECK(binned({3875, 1000}, 2048) == PixelSize{3968, 1024});
  const ImageSizes sizes = image_sizes(sigma, {700, 1001}, 1024, scale);
  CHECK(sizes.final == PixelSize{700, 1001});
  CHECK(sizes.generated == PixelSize{832, 1216});
  CHECK_THROWS_WITH_AS(binned({64, 64}, 64), Contains("switch resolution binning off"), InvalidArgument);
  CHECK_THROWS_WITH_AS(generated(sd3, {1024, 1024}, true), Contains("StableDiffusion3Pipeline has none"),
                       InvalidArgument);
}

TEST_CASE("an image is resized to cover a size and cropped around the centre") {
  Tensor ramp({1, 1, 2, 4});
  for (std::size_t i = 0; i < 8; ++i) ramp.data[i] = static_cast<float>(i);
  CHECK(covering(ramp, {2, 4}).data == ramp.data);
  CHECK(covering(ramp, {2, 2}).data == std::vector<float>{1, 2, 5, 6});
  // Twice the size: at 0.25 and 0.75 between neighbours, and the ends as they are.
  const Tensor twice = covering(ramp, {4, 8});
  CHECK(twice.shape == weft::Shape{1, 1, 4, 8});
  const float row[] = {0, 0.25f, 0.75f, 1.25f, 1.75f, 2.25f, 2.75f, 3}, down[] = {0, 1, 3, 4};
  for (Index y = 0; y < 4; ++y)
    for (Index x = 0; x < 8; ++x) CHECK(twice.view<4>()[0][0][y][x] == doctest::Approx(row[x] + down[y]));
  CHECK(covering(ramp, {3, 3}).shape == weft::Shape{1, 1, 3, 3});
  CHECK(covering(ramp, {1, 7}).shape == weft::Shape{1, 1, 1, 7});
}

TEST_CASE("levels round halves to the even one") {
  const auto level = [](float x) { return static_cast<int>(levels_of(Tensor({1, 1, 1}, {x})).front()); };
  CHECK(level(-1) == 0);
  CHECK(level(1) == 255);
  CHECK(level(-7) == 0);
  CHECK(level(7) == 255);
  CHECK(level(0) == 128);               // 127.5
  CHECK(level(0.00784313492f) == 128);  // 128.5
  CHECK(level(-1.0f / 255) == 127);     // 127
  CHECK(levels_of(Tensor({3, 1, 2}, {-1, 1, -1, 1, 1, -1})) ==
        std::vector<std::uint8_t>{0, 0, 255, 255, 255, 0});
}
