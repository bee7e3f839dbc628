// expect: weft: derive the policy's On<Backend, Communicator> from typename Inner::template On<Backend,
#include "weft/policy/policy.hpp"

template <class Inner = weft::Local>
struct Alone : weft::PolicyAtDepth<1, Inner> {
  using Replaces = weft::Hooks<"finish">;

  template <class Backend, class Communicator>
  struct On {
    void finish(typename Backend::Queue& queue);
  };
};
static_assert(weft::detail::explain_policy<Alone<>>());
