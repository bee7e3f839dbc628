// The sizes of image that `bench` measures, each on its mesh.
#pragma once

#include <vector>

#include "../input/model_settings.hpp"
#include "../options/options.hpp"
#include "case.hpp"
#include "weft/plan.hpp"

namespace command {

/// Returns the planner's request for images of `px` pixels on a side, with so many branches of guidance.
/// Throws InvalidArgument if that is not a whole number of tokens.
[[nodiscard]] weft::planner::PlanRequest bench_request(const Options& options, const weft::DitShape& shape,
                                                       int px, weft::Index ranks, weft::Index branches = 2);

/// Returns every size with its mesh, the given or a planned one, and the steps that leave blocks out. Throws
/// InvalidArgument if one cannot run.
[[nodiscard]] std::vector<BenchCase> bench_cases(const Options& options, const ModelSettings& settings,
                                                 const weft::planner::ModelWork& work);

/// Prints a line about the memory of each case. Throws InvalidArgument if one does not fit.
void print_memory(const Options& options, const std::vector<BenchCase>& sizes,
                  const weft::planner::ModelWork& work, weft::Index branches = 2);

}  // namespace command
