// The golden models' files.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "weft/model/hunyuan/config.hpp"

inline std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(WEFT_GOLDENS_DIR) / name / "model" / "transformer";
}

/// Returns a golden model's settings with one of them replaced.
inline weft::HunyuanConfig config_with(const std::string& golden, const char* key = nullptr,
                                       const nlohmann::json& value = {}) {
  auto object = nlohmann::json::parse(weft::MappedFile(golden_folder(golden) / "config.json").text());
  if (key) object[key] = value;
  return weft::HunyuanConfig(weft::Config(object.dump(), "c.json"));
}
