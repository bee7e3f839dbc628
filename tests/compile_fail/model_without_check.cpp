// expect: weft: give the model a member void check(const Prompt&) const
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void check() const;
};
static_assert(weft::detail::explain_dit<Model>());
