// How fast meshes of many devices would be: every rank's kernels as measured on one, transfers as a link
// model has them.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"
#include "weft/comm/mesh.hpp"

namespace command {

/// A rank of a mesh that is timed alone; one of one rank without any policy.
struct RehearsedRank {
  int px = 0;
  weft::Mesh mesh;
  int rank = 0;
};

struct RehearsalReport {
  std::string device;
  std::vector<double> seconds;  // a step, of each rank
};

/// The first steps, which are not timed: the warm-up, and while a pipeline fills.
constexpr int unsteady_steps = 3;

/// Measures, prints tables and writes --json, all marked as projected.
void project(const Options& options);

}  // namespace command
