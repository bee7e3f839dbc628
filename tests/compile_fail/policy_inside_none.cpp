// expect: weft: a policy wraps another one, or weft::Local, and the type that it wraps is none
#include "weft/policy/ulysses.hpp"

constexpr int depth = weft::Ulysses<int>::depth;
