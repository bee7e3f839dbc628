// expect: weft: give the model a member void embed(auto& context, const Conditioning&,
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void embed() const;
};
static_assert(weft::detail::explain_dit<Model>());
