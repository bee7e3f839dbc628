// expect: weft: give the model a member Index scratch(Index rows) const
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void scratch(weft::Index) const;
};
static_assert(weft::detail::explain_dit<Model>());
