// A model's own code on the counting backend, for every dtype. Each model is compiled in a file of its own.
#pragma once

#include <memory>

#include "../../options/options.hpp"
#include "weft/model/flux/config.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/model/pixart/config.hpp"
#include "weft/model/sd3/config.hpp"
#include "weft/plan/model_work.hpp"

namespace command {

using ModelWorkPointer = std::unique_ptr<const weft::planner::ModelWork>;

/// Return the work of a model for prompts of `text` tokens.
ModelWorkPointer counted(const weft::HunyuanConfig& settings, Dtype dtype, weft::Index text);
ModelWorkPointer counted(const weft::PixArtConfig& settings, Dtype dtype, weft::Index text);
ModelWorkPointer counted(const weft::SD3Config& settings, Dtype dtype, weft::Index text);
ModelWorkPointer counted(const weft::FluxConfig& settings, Dtype dtype, weft::Index text);

}  // namespace command
