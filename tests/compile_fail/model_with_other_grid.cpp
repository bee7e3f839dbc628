// expect: weft: give the model's member grid the form G grid(const Extent&) const, where G is a
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  weft::Extent grid(const weft::Extent&) const;
};
static_assert(weft::detail::explain_dit<Model>());
