// expect: weft: a policy that replaces the hook sum lists it in Replaces, and declares void sum(Queue&
// with: HookFault::other_signature
#include "weft/policy/policy.hpp"

template <class Inner = weft::Local>
struct Summing : weft::PolicyAtDepth<1, Inner> {
  using Replaces = weft::Hooks<"sum">;

  template <class Backend, class Communicator>
  struct On : Inner::template On<Backend, Communicator> {
    void sum(typename Backend::Queue& queue, const weft::View<float, 1>& values);
  };
};
static_assert(weft::detail::explain_policy<Summing<>>());
