#include <doctest/doctest.h>

#include "golden_run.hpp"
#include "model_copy.hpp"
#include "weft/io/safetensors_writer.hpp"

TEST_CASE("forward equals diffusers") {
  for (const char* name : {"v12", "v11_hd88"}) {
    CAPTURE(name);
    CHECK(error_of("forward", name, "forward", "sample") < 1e-5);
    CHECK(error_of("forward", name, "forward", "sample", {"--ulysses", "2", "--ring", "2"}) < 1e-5);
    CHECK(error_of("forward", name, "forward", "sample", {"--cfg", "2", "--pipefusion", "2"}) < 1e-5);
    CHECK(error_of("forward", name, "forward", "sample", {"--tensor", "2", "--ring", "2"}) < 1e-5);
  }
}

TEST_CASE("denoise equals diffusers") {
  for (const char* loop : {"ddpm", "ddim", "dpmpp", "ddpm_rescale"}) {
    CAPTURE(loop);
    CHECK(error_of("denoise", "v12", loop, "latents") < 1e-4);
    CHECK(error_of("denoise", "v12", loop, "latents", {"--cfg", "2", "--ring", "2"}) < 1e-4);
  }
  CHECK(error_of("denoise", "v11_hd88", "ddpm", "latents") < 1e-4);
  CHECK(error_of("denoise", "v11_hd88", "ddpm", "latents",
                 {"--pipefusion", "2", "--patches", "3", "--warmup", "4", "--ulysses", "2"}) < 1e-4);
}

TEST_CASE("a stale pipeline differs from one rank, and a ring that copies does not") {
  const double stale = error_of("denoise", "v12", "ddim", "latents", {"--pipefusion", "2"});
  CHECK(stale > 1e-5);
  CHECK(stale < 0.5);
  for (const char* cache : {"rotate", "copy"})
    CHECK(error_of("denoise", "v12", "ddim", "latents", {"--ring", "2", "--ring-cache", cache}) < 1e-4);
}

TEST_CASE("the schedule in the metadata overrides that of the folder") {
  const ModelCopy model(goldens / "v12" / "model");
  model.edit("scheduler/scheduler_config.json", "0.018", "0.03");
  model.edit("scheduler/scheduler_config.json", "  \"set_alpha_to_one\": false,\n",
             "");  // which inputs imply
  CHECK(error_of("denoise", "v12", "ddim", "latents", {}, model.path()) < 1e-4);
}

TEST_CASE("the scheduler is the one that the folder names, as Python writes it") {
  const ModelCopy model(goldens / "v12" / "model");
  model.replace("scheduler/scheduler_config.json", std::string_view(R"({
    "_class_name": "DPMSolverMultistepScheduler", "beta_start": 0.00085, "beta_end": 0.018,
    "beta_schedule": "scaled_linear", "prediction_type": "v_prediction", "timestep_spacing": "leading",
    "steps_offset": 1, "lambda_min_clipped": -Infinity, "trained_betas": null})"));
  const weft::SafeTensors inputs(goldens / "v12" / "dpmpp_inputs.safetensors");
  std::map<std::string, weft::Tensor> tensors;
  for (const auto& [name, entry] : inputs.entries()) tensors[name] = entry.tensor();
  const TemporaryFolder folder;
  const auto file = folder.write("inputs.safetensors",
                                 weft::to_safetensors(tensors, {{"steps", "8"}, {"guidance_scale", "5"}}));
  const Outcome outcome =
      run({"denoise", "--model", model.path(), "--inputs", file, "--out", folder / "out"});
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(relative_error(tensor_in(folder / "out", "latents"),
                       tensor_in(goldens / "v12" / "dpmpp_expected.safetensors", "latents")) < 1e-4);
}

TEST_CASE("weights in shards") {
  const ModelCopy model(goldens / "v12" / "model");
  std::map<std::string, weft::Tensor> shards[2];
  std::string map;
  {
    const weft::SafeTensors whole(model.path() / weights_file);
    for (const auto& [name, entry] : whole.entries()) {
      const bool second = name > "blocks.4";
      shards[second][name] = entry.tensor();
      map += (map.empty() ? "" : ", ") + ("\"" + name + "\": \"") + (second ? "b" : "a") + ".safetensors\"";
    }
  }
  std::filesystem::remove(model.path() / weights_file);
  model.replace("transformer/a.safetensors", weft::to_safetensors(shards[0]));
  model.replace("transformer/b.safetensors", weft::to_safetensors(shards[1]));
  model.replace("transformer/diffusion_pytorch_model.safetensors.index.json",
                std::string_view("{\"weight_map\": {" + map + "}}"));
  CHECK(error_of("forward", "v12", "forward", "sample", {}, model.path()) < 1e-5);
}

TEST_CASE("a result that is not finite is a failure and not written") {
  const TemporaryFolder folder;
  const ModelCopy model(goldens / "v12" / "model");
  std::map<std::string, weft::Tensor> weights;
  {
    const weft::SafeTensors whole(model.path() / weights_file);
    for (const auto& [name, entry] : whole.entries()) weights[name] = entry.tensor();
  }
  weights.at("proj_out.bias").data.front() = INFINITY;
  model.replace(weights_file, weft::to_safetensors(weights));
  const Outcome outcome = run({"forward", "--model", model.path(), "--inputs",
                               goldens / "v12" / "forward_inputs.safetensors", "--out", folder / "out"});
  CHECK(outcome.code == 1);
  CHECK(outcome.err == "the result holds numbers that are not finite, so nothing is written\n");
  CHECK(folder.count() == 0);
}
