// Memory that the ranks of a mesh take, planned before anything is allocated.
#pragma once

#include <string>

#include "../options/options.hpp"
#include "weft/plan.hpp"

namespace command {

/// Memory that ranks share: a device's or the host's.
struct MemoryBudget {
  double free = 0;  // bytes that may be taken
  weft::Index ranks = 1;
  weft::Index memories = 0;  // of a process, whose ranks share a copy of the weights; 0: a copy a rank
  weft::Index devices = 1;   // of this host, with a memory each

  /// Returns the memory that all its ranks take.
  weft::planner::MemoryUse use(const weft::planner::CostModel& cost) const;
  bool fits(const weft::planner::CostModel& cost) const { return use(cost).total() <= free; }
};

/// Returns the smallest budget among the memories of this process's ranks.
[[nodiscard]] MemoryBudget memory_budget(const Options& options);

/// Returns a line that describes the memory of the options' mesh. Throws InvalidArgument, naming a mesh that
/// fits, if it does not.
[[nodiscard]] std::string checked_memory(const Options& options, const weft::planner::ModelWork& work,
                                         const weft::planner::PlanRequest& request);

}  // namespace command
