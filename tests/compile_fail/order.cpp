// expect: weft: put the policies in the order
// DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>;
#include "weft/policy/ring.hpp"
#include "weft/policy/ulysses.hpp"

using Stack = weft::Ring<weft::Ulysses<>>;
constexpr int depth = Stack::depth;
