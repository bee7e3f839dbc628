// expect: weft: give the model a member void embed(auto& context, const Conditioning&,
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void embed(auto& context, const Conditioning&, weft::View<const float, 4> latents,
             weft::View<float, 3> tokens) const;
};
static_assert(weft::detail::explain_dit<Model>());
