// Requests to a small HunyuanDiT pipeline, and what diffusers makes of them: tests/goldens/hunyuan_pipeline.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../relative_error.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/pipeline/request.hpp"

inline const std::filesystem::path pipeline_golden =
    std::filesystem::path(WEFT_GOLDENS_DIR) / "hunyuan_pipeline";

/// Returns the request of a golden.
inline weft::pipeline::ImageRequest request_of(const std::string& name) {
  const weft::SafeTensors file(pipeline_golden / (name + "_inputs.safetensors"));
  const auto setting = [&file](const char* key) { return file.metadata().find(key)->second; };
  const auto texts = [&setting](const char* key) {
    return nlohmann::json::parse(setting(key)).get<std::vector<std::string>>();
  };
  return {.prompts = texts("prompts"),
          .negatives = texts("negative_prompts"),
          .height = std::stoi(setting("height")),
          .width = std::stoi(setting("width")),
          .resolution_binning = false,
          .scheduler = setting("scheduler"),
          .steps = std::stoi(setting("steps")),
          .guidance = std::stof(setting("guidance_scale")),
          .guidance_rescale = std::stof(setting("guidance_rescale")),
          .noise = file.tensor("latents"),
          .step_noise = file.tensor("step_noise")};
}

inline weft::Tensor image_of(const std::string& name) {
  return weft::SafeTensors(pipeline_golden / (name + "_expected.safetensors")).tensor("image");
}
