// expect: weft: give the model's member refill the form void refill(Queue&, span<const Prompt>, const Tensor&
// times, Conditioning&) const, or leave it out
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  void refill(std::span<const Prompt>, Conditioning&) const;
};
static_assert(weft::detail::explain_dit<Model>());
