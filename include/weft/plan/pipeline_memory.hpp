// What a rank of a weft::Pipeline takes of its memory, where some stages stay while others run.
#pragma once

#include <algorithm>

#include "weft/core/stage_memory.hpp"
#include "weft/plan/memory.hpp"

namespace weft::inline v0_1::planner {

/// What a rank takes in each stage while no other stage is in memory.
struct PipelineStages {
  StageMemory encoders{};
  MemoryUse transformer{};
  StageMemory decoder{};
};

/// Returns the bytes that a rank takes at most in the second and further requests to a weft::Pipeline. The
/// weights of the transformer and of the decoder stay, and engine and decoder keep the buffers of a request
/// for the next; text encoders are there only while they run.
constexpr double pipeline_memory(const PipelineStages& stages) {
  const double kept =
      stages.transformer.weights + stages.transformer.working() + static_cast<double>(stages.decoder.total());
  return kept + std::max(static_cast<double>(stages.encoders.total()), stages.transformer.preparing);
}

}  // namespace weft::inline v0_1::planner
