// expect: weft: give the model's member valid_prefix the form Index valid_prefix(const Prompt&) const, beside
// prefix, or leave it out
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  weft::Index valid_prefix(const Prompt&) const;
};
static_assert(weft::detail::explain_dit<Model>());
