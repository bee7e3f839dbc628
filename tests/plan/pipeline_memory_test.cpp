#include "weft/plan/pipeline_memory.hpp"

#include <doctest/doctest.h>

using weft::planner::pipeline_memory;
using weft::planner::PipelineStages;

TEST_CASE("pipeline_memory: what stays, and the most that comes on top of it in any stage") {
  PipelineStages stages{
      .encoders = {3, 1},
      .transformer = {.weights = 100, .conditioning = 10, .keys = 20, .activations = 30, .preparing = 2},
      .decoder = {1000, 3}};
  constexpr double kept = 100 + 10 + 20 + 30 + 1000 + 3;
  CHECK(pipeline_memory(stages) == kept + 4);
  stages.encoders = {};
  CHECK(pipeline_memory(stages) == kept + 2);
}
