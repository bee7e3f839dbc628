// expect: weft: give the model a member void check(const Prompt&) const, which rejects unfit
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  bool check(const Prompt&) const;
};
static_assert(weft::detail::explain_dit<Model>());
