// expect: weft: give the model's member prefix the form Index prefix(const Prompt&) const
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void prefix(const Prompt&) const;
};
static_assert(weft::detail::explain_dit<Model>());
