// expect: weft: a policy without an axis wraps policies of greater depths; those of data, cfg, pipe,
#include "weft/policy/cfg_parallel.hpp"

template <class Inner>
struct Inside : weft::PolicyAtDepth<weft::depth_between(weft::Axis::pipe, weft::Axis::ulysses), Inner> {};
constexpr int depth = Inside<weft::CfgParallel<>>::depth;
