// The settings of a model's transformer, whichever model it is.
#pragma once

#include <string>
#include <variant>

#include "weft/model/flux/config.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/pixart/config.hpp"
#include "weft/model/sd3/config.hpp"

namespace command {

using ModelSettings =
    std::variant<weft::HunyuanConfig, weft::PixArtConfig, weft::SD3Config, weft::FluxConfig>;

/// Returns the settings of a transformer/config.json, by its `_class_name`; without one it is HunyuanDiT's.
/// Throws InvalidArgument if the model is none of weft's, or a setting is not valid.
[[nodiscard]] inline ModelSettings model_settings(const weft::Config& file) {
  const auto name = file.optional<std::string>("_class_name", "HunyuanDiT2DModel");
  if (name == "HunyuanDiT2DModel") return weft::HunyuanConfig(file);
  if (name == "PixArtTransformer2DModel") return weft::PixArtConfig(file);
  if (name == "SD3Transformer2DModel") return weft::SD3Config(file);
  if (name == "FluxTransformer2DModel") return weft::FluxConfig(file);
  weft::reject(file.name(), ": _class_name is ", name,
               ", and there are HunyuanDiT2DModel, PixArtTransformer2DModel, SD3Transformer2DModel and "
               "FluxTransformer2DModel");
}

/// Returns the numbers that parallel methods depend on.
[[nodiscard]] inline weft::DitShape shape_of(const ModelSettings& settings) {
  return std::visit([](const auto& some) { return some.shape(); }, settings);
}

/// Returns the branches of guidance of a model's requests: FLUX has the scale of guidance as an input.
[[nodiscard]] inline weft::Index guidance_branches(const ModelSettings& settings) {
  return std::holds_alternative<weft::FluxConfig>(settings) ? 1 : 2;
}

}  // namespace command
