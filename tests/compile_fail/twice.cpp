// expect: weft: use each policy once; write
// DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>
#include "weft/policy/ulysses.hpp"

using Stack = weft::Ulysses<weft::Ulysses<>>;
constexpr int depth = Stack::depth;
