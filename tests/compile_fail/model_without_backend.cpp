// expect: weft: the model's Backend is none
#include "complete_model.hpp"

static_assert(weft::detail::explain_dit<CompleteModel<NoBackend>>());
