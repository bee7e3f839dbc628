// Small pipelines, requests to them, and what diffusers makes of these: tests/goldens.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "../relative_error.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/pipeline/request.hpp"

/// A folder of goldens of one pipeline.
struct PipelineGolden {
  std::filesystem::path folder;

  explicit PipelineGolden(const std::string& name) : folder(std::filesystem::path(WEFT_GOLDENS_DIR) / name) {}

  std::filesystem::path model() const { return folder / "model"; }

  weft::pipeline::ImageRequest request(const std::string& run) const {
    const weft::SafeTensors inputs = file(run + "_inputs");
    const auto setting = [&inputs](const char* key) {
      const auto at = inputs.metadata().find(key);
      return at == inputs.metadata().end() ? std::string() : at->second;
    };
    const auto texts = [&setting](const char* key) {
      return nlohmann::json::parse(setting(key)).get<std::vector<std::string>>();
    };
    weft::pipeline::ImageRequest out{.prompts = texts("prompts"),
                                     .negatives = texts("negative_prompts"),
                                     .height = std::stoi(setting("height")),
                                     .width = std::stoi(setting("width")),
                                     .scheduler = setting("scheduler"),
                                     .steps = std::stoi(setting("steps")),
                                     .guidance = std::stof(setting("guidance_scale")),
                                     .guidance_rescale = std::stof(setting("guidance_rescale")),
                                     .noise = inputs.tensor("latents")};
    if (inputs.find("step_noise")) out.step_noise = inputs.tensor("step_noise");
    // The latents of a bin are not of the size that was asked for.
    if (out.noise.shape[2] * 8 == out.height) out.resolution_binning = false;
    return out;
  }

  weft::Tensor image(const std::string& run) const { return file(run + "_expected").tensor("image"); }

 private:
  weft::SafeTensors file(const std::string& name) const {
    return weft::SafeTensors(folder / (name + ".safetensors"));
  }
};
