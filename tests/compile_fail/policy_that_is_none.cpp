// expect: weft: this type is no policy: derive it from weft::AxisPolicy or weft::PolicyAtDepth
#include "weft/policy/policy.hpp"

struct Model {};
static_assert(weft::detail::explain_policy<Model>());
