// The mesh to run: the one that is given, or the planner's choice.
#pragma once

#include "../input/work.hpp"
#include "weft/plan.hpp"

namespace command {

/// Returns the planner's request for this work on the options' ranks.
[[nodiscard]] weft::planner::PlanRequest plan_request(const Options& options, const Work& work,
                                                      const weft::DitShape& shape);

/// Throws InvalidArgument if the given mesh breaks a rule that needs neither the weights nor the work.
void check_mesh(const Options& options, const ModelFolder& model);

/// Throws InvalidArgument if the mesh breaks a rule for this work, whose prompts have so many tokens before
/// the image's. The prompts may be blank: only how many there are counts.
void check_mesh(const Options& options, const ModelFolder& model, const Work& work, weft::Index prefix);

/// Returns whether there are several ranks and no degree is given.
[[nodiscard]] bool plans_mesh(const Options& options);

/// Returns the fastest mesh that fits into the memory the options leave, or if none does, the fastest. Throws
/// InvalidArgument if no mesh obeys the rules.
[[nodiscard]] weft::Mesh planned_mesh(const Options& options, const weft::planner::ModelWork& work,
                                      const weft::planner::PlanRequest& request);

/// Returns the options with the given mesh or the planned one, which is printed. Throws InvalidArgument if
/// the mesh breaks a rule.
[[nodiscard]] Options with_mesh(Options options, const ModelFolder& model, const Work& work);

}  // namespace command
