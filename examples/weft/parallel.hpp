// The policies of the command.
#pragma once

#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/step_cache.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

namespace command {

using Parallel = weft::DataParallel<
    weft::CfgParallel<weft::StepCache<weft::PipeFusion<weft::TensorParallel<weft::Ulysses<weft::Ring<>>>>>>>;

/// Those of a device alone.
using Single = weft::StepCache<>;

}  // namespace command
