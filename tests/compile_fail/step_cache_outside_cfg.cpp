// expect: weft: a policy without an axis wraps policies of greater depths; those of data, cfg, pipe,
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/step_cache.hpp"

constexpr int depth = weft::StepCache<weft::CfgParallel<>>::depth;
