// The work of a model in a dtype, as the planner sees it.
#pragma once

#include <memory>

#include "../input/model_settings.hpp"
#include "../input/work.hpp"
#include "weft/plan/model_work.hpp"

namespace command {

/// Returns a model's work, for prompts of `text` tokens: of none, for those of its pipeline's. HunyuanDiT's
/// have the length of its settings.
[[nodiscard]] std::unique_ptr<const weft::planner::ModelWork> model_work(const ModelSettings& settings,
                                                                         Dtype dtype, weft::Index text = 0);
/// Returns a model's work for the prompts of `work`, of which the longest counts.
[[nodiscard]] std::unique_ptr<const weft::planner::ModelWork> model_work(const ModelSettings& settings,
                                                                         Dtype dtype, const Work& work);

}  // namespace command
