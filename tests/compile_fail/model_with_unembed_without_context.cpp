// expect: weft: give the model a member void unembed(auto& context, const Conditioning&
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void unembed(const Conditioning&, weft::View<const float, 3> tokens, weft::View<float, 3> prediction) const;
};
static_assert(weft::detail::explain_dit<Model>());
