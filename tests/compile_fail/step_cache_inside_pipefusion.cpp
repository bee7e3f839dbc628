// expect: weft: put the policies in the order
// DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>;
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/step_cache.hpp"

using Stack = weft::PipeFusion<weft::StepCache<>>;
constexpr int depth = Stack::depth;
