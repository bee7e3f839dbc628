// expect: weft: a policy that replaces the hook attend lists it in Replaces, and declares void
// with: "atend"
#include "weft/policy/policy.hpp"

template <class Inner = weft::Local>
struct Counting : weft::PolicyAtDepth<1, Inner> {
  using Replaces = weft::Hooks<"atend">;

  template <class Backend, class Communicator>
  struct On : Inner::template On<Backend, Communicator> {
    void atend(typename Backend::Queue& queue, const weft::Scope& scope,
               const weft::View<const typename Backend::Element, 4>& q,
               const weft::View<typename Backend::Element, 4>& out);
  };
};
static_assert(weft::detail::explain_policy<Counting<>>());
