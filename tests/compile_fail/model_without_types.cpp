// expect: weft: give the model the member types Backend, Prompt and Conditioning
#include "complete_model.hpp"

struct Model {
  using Backend = NoBackend;
  weft::DitShape shape() const;
};
static_assert(weft::detail::explain_dit<Model>());
