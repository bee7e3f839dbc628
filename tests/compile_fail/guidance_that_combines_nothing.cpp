// expect: weft: this type is no guidance: give it name, void check(prompts) const, Index branches() const,
#include "weft/sampler/guidance.hpp"

struct Queue {};
struct Half : weft::NoGuidance {
  static weft::View<float, 3> combine(Queue&, const weft::View<float, 3>& predictions);
};
static_assert(weft::Guidance<weft::NoGuidance, int, Queue>);
static_assert(weft::detail::explain_guidance<Half, int, Queue>());
