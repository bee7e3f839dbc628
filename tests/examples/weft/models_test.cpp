#include <doctest/doctest.h>

#include "golden_run.hpp"
#include "model_copy.hpp"

namespace {

const std::vector<std::pair<const char*, const char*>> evaluations = {
    {"pixart_sigma", "forward"}, {"pixart_sigma", "forward_wide"}, {"pixart_alpha", "forward"},
    {"sd3", "forward"},          {"sd3", "forward_wide"},          {"sd3_medium", "forward"},
    {"flux", "forward"}};

}  // namespace

TEST_CASE("every model's forward equals diffusers, on one rank and on several") {
  for (const auto& [name, file] : evaluations) {
    CAPTURE(name);
    CAPTURE(file);
    CHECK(error_of("forward", name, file, "sample") < 1e-5);
    CHECK(error_of("forward", name, file, "sample", {"--ulysses", "2", "--ring", "2"}) < 1e-5);
    CHECK(error_of("forward", name, file, "sample", {"--tensor", "2", "--ulysses", "2"}) < 1e-5);
    CHECK(error_of("forward", name, file, "sample", {"--pipefusion", "2", "--patches", "3", "--ranks", "2"}) <
          1e-5);
  }
}

TEST_CASE("every model's denoise equals diffusers, on one rank and on several") {
  const std::pair<const char*, const char*> loops[] = {{"pixart_sigma", "dpmpp_mild"},
                                                       {"pixart_sigma", "ddim"},
                                                       {"pixart_alpha", "dpmpp"},
                                                       {"sd3", "loop"},
                                                       {"flux", "loop"}};
  for (const auto& [name, file] : loops) {
    CAPTURE(name);
    CAPTURE(file);
    CHECK(error_of("denoise", name, file, "latents") < 1e-4);
    CHECK(error_of("denoise", name, file, "latents",
                   {"--pipefusion", "2", "--patches", "3", "--warmup", "8", "--ulysses", "2"}) < 1e-4);
  }
}

TEST_CASE("captions are HunyuanDiT's alone") {
  const TemporaryFolder folder;
  const Arguments line{"generate",     "--model",       goldens / "sd3" / "model", "--prompt",
                       "a pink cross", "--latents-out", folder / "out.safetensors"};
  const Outcome outcome = run(line);
  CHECK(outcome.code == 2);
  CHECK(outcome.err == "generate without text encoders takes HunyuanDiT alone, and " +
                           (goldens / "sd3" / "model").string() +
                           " is another model; use weft forward or weft denoise\n");
  CHECK(folder.count() == 0);
}

TEST_CASE("a model that weft has not") {
  const ModelCopy model(goldens / "sd3" / "model");
  model.edit("transformer/config.json", "SD3Transformer2DModel", "SanaTransformer2DModel");
  const TemporaryFolder folder;
  const Outcome outcome =
      run({"forward", "--model", model.path(), "--inputs", goldens / "sd3" / "forward_inputs.safetensors",
           "--out", folder / "out.safetensors"});
  CHECK(outcome.code == 2);
  CHECK(outcome.err == (model.path() / "transformer" / "config.json").string() +
                           ": _class_name is SanaTransformer2DModel, and there are HunyuanDiT2DModel, "
                           "PixArtTransformer2DModel, SD3Transformer2DModel and FluxTransformer2DModel\n");
}
