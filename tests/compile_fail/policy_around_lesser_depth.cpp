// expect: weft: put the policies in the order
// DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>;
#include "weft/policy/ring.hpp"

template <class Inner>
struct Outside : weft::PolicyAtDepth<weft::depth_between(weft::Axis::pipe, weft::Axis::ulysses), Inner> {};
constexpr int depth = weft::Ring<Outside<weft::Local>>::depth;
