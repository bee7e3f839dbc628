// expect: weft: a policy that replaces the hook send_output lists it in Replaces, and declares void
// with: HookFault::other_signature
#include "weft/policy/policy.hpp"

template <class Inner = weft::Local>
struct Sending : weft::PolicyAtDepth<1, Inner> {
  using Replaces = weft::Hooks<"send_output">;

  template <class Backend, class Communicator>
  struct On : Inner::template On<Backend, Communicator> {
    void send_output(auto& queue, const auto& task, const auto& x);
  };
};
static_assert(weft::detail::explain_policy<Sending<>>());
