// expect: weft: give the model a member void block(Index i, auto& context, const Conditioning&,
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void block(weft::Index, auto& context, const Conditioning&, weft::View<const float, 3> x,
             weft::View<float, 3> out, weft::View<const float, 3> skip) const;
};
static_assert(weft::detail::explain_dit<Model>());
