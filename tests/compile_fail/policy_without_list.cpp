// expect: weft: this type is no policy: derive it from weft::AxisPolicy or weft::PolicyAtDepth, and give
#include "weft/policy/policy.hpp"

template <class Inner = weft::Local>
struct Unlisted : weft::PolicyAtDepth<1, Inner> {
  template <class Backend, class Communicator>
  struct On : Inner::template On<Backend, Communicator> {};
};
static_assert(weft::detail::explain_policy<Unlisted<>>());
