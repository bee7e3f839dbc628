// Which mesh to run: as the planner advises where none is given, and the command `plan`.
#pragma once

#include "weft/plan.hpp"
#include "work.hpp"

namespace command {

/// What the planner is asked of this work.
weft::planner::PlanRequest plan_request(const Options& options, const Work& work,
                                        const weft::DitShape& shape);

/// Whether there are several ranks and no degree says how they are shared out.
bool plans_mesh(const Options& options);

/// The options with a mesh: the one that is given, or the planned one, which is printed.
Options with_mesh(Options options, const ModelFolder& model, const Work& work);

/// The same for what `bench` does at this size of image.
Options with_bench_mesh(Options options, int px);

/// Prints the ranking and writes --json and --svg, or measures and writes --calibrate.
void plan(const Options& options);

}  // namespace command
