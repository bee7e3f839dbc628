// Ranks that are timed alone on one device.
#pragma once

#include <string>
#include <vector>

#include "weft/comm/mesh.hpp"

namespace command {

/// A rank of a mesh that is timed alone; in a mesh of one rank, without any policy.
struct RehearsedRank {
  int px = 0;
  weft::Mesh mesh;
  int rank = 0;
};

struct RehearsalReport {
  std::string device;
  std::vector<double> seconds;  // a step, of each rank
};

/// First steps that are not timed: those of the warm-up, and those that fill a pipeline.
constexpr int unsteady_steps = 3;

}  // namespace command
