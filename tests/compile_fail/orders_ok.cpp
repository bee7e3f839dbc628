// expect-ok
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

using namespace weft;

constexpr int depths[] = {Local::depth, Ring<>::depth, CfgParallel<Ring<>>::depth,
                          PipeFusion<Ulysses<>>::depth,
                          DataParallel<CfgParallel<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>::depth};
