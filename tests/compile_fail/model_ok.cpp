// expect-ok
#include "complete_model.hpp"
#include "weft/backend/host.hpp"

using Model = CompleteModel<weft::Host>;
static_assert(weft::DiT<Model>);
static_assert(weft::detail::explain_dit<Model>());
