// expect: weft: give the model's member digest the form std::uint64_t digest() const, or leave it out
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  std::string digest() const;
};
static_assert(weft::detail::explain_dit<Model>());
