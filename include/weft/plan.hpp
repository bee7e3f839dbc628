// The planner: which mesh suits a model, its hardware and an image. Not a part of weft.hpp.
#pragma once

#include "weft/plan/counted_model.hpp"
#include "weft/plan/explanation.hpp"
#include "weft/plan/gantt.hpp"
#include "weft/plan/hardware_file.hpp"
#include "weft/plan/machines.hpp"
#include "weft/plan/pipeline_memory.hpp"
#include "weft/plan/planner.hpp"
#include "weft/plan/sample_prompt.hpp"
