// expect: weft: give the model a member DitShape shape() const
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void shape() const;
};
static_assert(weft::detail::explain_dit<Model>());
