// expect: weft: give the model's member slice the form TensorSlice slice() const, or leave it out
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  int slice() const;
};
static_assert(weft::detail::explain_dit<Model>());
