// PipelineClass: what a pipeline of diffusers does by default.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/json.hpp"
#include "weft/model/flux/config.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/pixart/config.hpp"
#include "weft/model/sd3/config.hpp"
#include "weft/pipeline/resolution_bins.hpp"

namespace weft::inline v0_1::pipeline {

struct PipelineClass {
  std::string_view name;         // _class_name in model_index.json
  std::string_view transformer;  // _class_name in transformer/config.json
  int steps;
  float guidance;
  Binning binning = Binning::none;
  bool floors = false;  // whether sizes are floored to whole tokens
};

inline constexpr std::array pipeline_classes{
    PipelineClass{"HunyuanDiTPipeline", "HunyuanDiT2DModel", 50, 5, Binning::hunyuan, true},
    PipelineClass{"PixArtAlphaPipeline", "PixArtTransformer2DModel", 20, 4.5, Binning::pixart},
    PipelineClass{"PixArtSigmaPipeline", "PixArtTransformer2DModel", 20, 4.5, Binning::pixart},
    PipelineClass{"StableDiffusion3Pipeline", "SD3Transformer2DModel", 28, 7},
    PipelineClass{"FluxPipeline", "FluxTransformer2DModel", 28, 3.5, Binning::none, true},
};

/// Returns the class that `index`, a model_index.json, names. Throws InvalidArgument if it is none of these.
inline const PipelineClass& pipeline_class(const Config& index) {
  const auto name = index.required<std::string>("_class_name");
  std::vector<std::string> known;
  for (const PipelineClass& pipeline : pipeline_classes) {
    if (pipeline.name == name) return pipeline;
    known.emplace_back(pipeline.name);
  }
  reject(index.name(), ": _class_name is ", name, "; there are ", listed(known));
}

/// Return the class of the transformers that have such settings.
constexpr std::string_view transformer_class(const HunyuanConfig&) { return "HunyuanDiT2DModel"; }
constexpr std::string_view transformer_class(const PixArtConfig&) { return "PixArtTransformer2DModel"; }
constexpr std::string_view transformer_class(const SD3Config&) { return "SD3Transformer2DModel"; }
constexpr std::string_view transformer_class(const FluxConfig&) { return "FluxTransformer2DModel"; }

}  // namespace weft::inline v0_1::pipeline
