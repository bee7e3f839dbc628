// expect: weft: put the policies in the order
// DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>;
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

using Stack = weft::Ulysses<weft::TensorParallel<>>;
constexpr int depth = Stack::depth;
