// How much memory the ranks of a mesh take, planned before they take any.
#pragma once

#include <string>

#include "options.hpp"
#include "weft/plan.hpp"

namespace command {

/// A memory that ranks compute in, a device's or the host's.
struct Room {
  double free = 0;  // bytes that may be taken
  weft::Index ranks = 1;
  weft::Index shared_out = 0;  // among so many, by ranks that have one copy of weights; 0: each has its own

  /// What all its ranks take.
  weft::planner::MemoryUse use(const weft::planner::CostModel& cost) const;
  bool fits(const weft::planner::CostModel& cost) const { return use(cost).total() <= free; }
};

/// The smallest room that ranks of this process find.
Room room_of(const Options& options);

/// How wide numbers of a type are.
void set_bytes(weft::planner::PlanRequest& request, Dtype dtype);

/// The planner's view of the options: the machine, and the engine.
weft::planner::Hardware hardware_of(const Options& options);
weft::planner::EngineTraits engine_of(const Options& options);

/// A line about the memory of the options' mesh; rejected, with the mesh that would, if it does not fit.
std::string checked_memory(const Options& options, const weft::DitShape& shape,
                           const weft::planner::PlanRequest& request);

}  // namespace command
