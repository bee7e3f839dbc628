// expect: weft: give the model's member text_tokens the form Index text_tokens(const Prompt&) const, or leave
// it out
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  int text_tokens(const Prompt&) const;
};
static_assert(weft::detail::explain_dit<Model>());
