// expect: weft: a policy that replaces the hook finish lists it in Replaces, and declares void
// with: HookFault::not_declared
#include "weft/policy/policy.hpp"

template <class Inner = weft::Local>
struct Counting : weft::PolicyAtDepth<1, Inner> {
  using Replaces = weft::Hooks<"finish">;

  template <class Backend, class Communicator>
  struct On : Inner::template On<Backend, Communicator> {
    void finished(typename Backend::Queue& queue);
  };
};
static_assert(weft::detail::explain_policy<Counting<>>());
