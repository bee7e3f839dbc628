// The steps that leave blocks out, as --cache says.
#pragma once

#include <functional>
#include <string>

#include "../options/options.hpp"
#include "model_folder.hpp"
#include "weft/model/weight_source.hpp"
#include "weft/policy/reuse.hpp"
#include "work.hpp"

namespace command {

/// Returns the steps of a run of `count` that leave blocks out. `embeddings` returns those of the steps'
/// times, (steps, features), if the rule asks for them. Throws InvalidArgument if there are no such steps.
[[nodiscard]] weft::Reuse reuse_of(const Cache& cache, weft::Index count, const weft::DitShape& shape,
                                   const std::function<weft::Tensor()>& embeddings);

/// Return the embeddings of the sampler's times, (steps, features), by a folder's weights, or random ones.
[[nodiscard]] weft::Tensor embedded_times(const ModelFolder& folder, const weft::Sampler& sampler);
[[nodiscard]] weft::Tensor embedded_times(const ModelSettings& settings, const weft::RandomWeights& weights,
                                          const weft::Sampler& sampler);

/// Returns which steps of a request leave blocks out; an evaluation has none.
[[nodiscard]] weft::Reuse reuse_of(const Work& work, const Cache& cache, const ModelFolder& folder);

/// Sets them.
void set_reuse(Work& work, const weft::Reuse& reuse);

/// Returns a line that says which of `count` steps leave blocks out.
[[nodiscard]] std::string description_of(const weft::Reuse& reuse, weft::Index count);

}  // namespace command
