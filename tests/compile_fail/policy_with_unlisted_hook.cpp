// expect: weft: a policy that replaces the hook prompts lists it in Replaces, and declares static Range
// with: HookFault::not_listed
#include "weft/policy/policy.hpp"

template <class Inner = weft::Local>
struct OddPrompts : weft::AxisPolicy<weft::Axis::data, Inner> {
  using Replaces = weft::Hooks<"finish">;

  template <class Backend, class Communicator>
  struct On : Inner::template On<Backend, Communicator> {
    void finish(typename Backend::Queue& queue);
    static weft::Range prompts(const weft::Mesh&, int, weft::Index count) { return {0, count}; }
  };
};
static_assert(weft::detail::explain_policy<OddPrompts<>>());
