// expect: weft: put the policies in the order
// DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>;
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"

using Stack = weft::PipeFusion<weft::CfgParallel<weft::Ring<>>>;
constexpr int depth = Stack::depth;
