// expect: weft: give the model a member Conditioning condition(Queue&, span<const Prompt>,
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  weft::Tensor condition(Backend::Queue&, std::span<const Prompt>, const weft::Tensor& times,
                         const weft::Share&) const;
};
static_assert(weft::detail::explain_dit<Model>());
