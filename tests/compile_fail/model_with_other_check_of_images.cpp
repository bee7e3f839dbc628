// expect: weft: give the model's check of images the form void check(const ImageShape&) const
#include "complete_model.hpp"

struct Model : CompleteModel<> {
  using CompleteModel<>::check;
  bool check(const weft::ImageShape&) const;
};
static_assert(weft::detail::explain_dit<Model>());
