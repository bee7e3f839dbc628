// The steps that pipelines ask schedulers for.
#include "weft/pipeline/sampler.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "weft/model/hunyuan/config.hpp"

using weft::InvalidArgument;

namespace {

/// Reads the settings of a golden's model.
template <class Settings>
Settings settings_of(const std::string& golden) {
  return Settings(
      weft::Config::read(std::filesystem::path(WEFT_GOLDENS_DIR) / golden / "model/transformer/config.json"));
}

}  // namespace

TEST_CASE("FLUX's sigmas are spaced from 1 to 1/steps, and SD3's down to the scheduler's least") {
  const auto sigmas = [](const auto& settings) {
    std::vector<double> out;
    for (const weft::SamplerStep& step :
         weft::pipeline::make_sampler(settings, weft::FlowMatchConfig{}, 4, 1024))
      out.push_back(step.sigma);
    return out;
  };
  CHECK(sigmas(settings_of<weft::FluxConfig>("flux")) == std::vector<double>{1, 0.75, 0.5, 0.25});
  CHECK(sigmas(settings_of<weft::SD3Config>("sd3")).back() == doctest::Approx(0.001));
}

TEST_CASE("dynamic shifting is told of the image's tokens") {
  weft::FlowMatchConfig scheduler;
  scheduler.is_dynamic = true;
  const auto last = [&scheduler](weft::Index tokens) {
    return weft::pipeline::make_sampler(settings_of<weft::FluxConfig>("flux"), scheduler, 4, tokens)
        .back()
        .sigma;
  };
  CHECK(last(256) < last(4096));
}

TEST_CASE("a scheduler of the other kind of training is rejected") {
  CHECK_THROWS_WITH_AS(static_cast<void>(weft::pipeline::make_sampler(settings_of<weft::HunyuanConfig>("v12"),
                                                                      weft::FlowMatchConfig{}, 4, 1024)),
                       "the scheduler is of flow matching, and this model was trained by diffusion; use "
                       "ddpm, ddim or dpmpp",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(
      static_cast<void>(
          weft::pipeline::make_sampler(settings_of<weft::SD3Config>("sd3"), weft::DdimConfig{}, 4, 1024)),
      "the scheduler is of diffusion, and this model was trained by flow matching; use flow_match_euler",
      InvalidArgument);
}
