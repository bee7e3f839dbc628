// Policy: the concept of a parallel method, a layer of the stack that an engine runs a model under.
#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>

#include "weft/policy/hooks.hpp"
#include "weft/policy/local.hpp"
#include "weft/policy/order.hpp"

namespace weft::inline v0_1 {

namespace detail {

/// The parts of a backend and of a communicator that declarations of policies name.
struct AnyBackend {
  using Element = float;
  using Operand = float;
  struct Queue {};
  template <class T>
  struct Buffer {};
};
struct AnyCommunicator {
  struct Event {};
};

template <class P, class Backend, class Communicator>
using OnOf = typename P::template On<Backend, Communicator>;

template <class P, class B, class C>
concept HasPolicyMembers = Stackable<P> && requires {
  typename P::Inner;
  typename P::Replaces;
  typename OnOf<P, B, C>;
};

template <class P, class B, class C>
concept WrapsInner = std::derived_from<OnOf<P, B, C>, OnOf<typename P::Inner, B, C>>;

/// Returns what is wrong with a hook of the policy.
template <class Hook, class P, class B, class C>
constexpr HookFault fault_of_policy() {
  return fault_of<Hook, OnOf<P, B, C>, OnOf<typename P::Inner, B, C>, OnOf<Local, B, C>>(
      P::Replaces::contain(Hook::name));
}

template <class P, class B, class C>
constexpr bool has_right_hooks() {
  return []<class... Hook>(std::type_identity<std::tuple<Hook...>>) {
    return ((fault_of_policy<Hook, P, B, C>() == HookFault::none) && ...);
  }(std::type_identity<AllHooks>{});
}

template <class P, class B, class C>
constexpr bool is_policy() {
  if constexpr (std::is_same_v<P, Local>) {
    return true;
  } else if constexpr (!HasPolicyMembers<P, B, C>) {
    return false;
  } else if constexpr (is_policy<typename P::Inner, B, C>() && WrapsInner<P, B, C>) {
    return P::Replaces::are_known() && has_right_hooks<P, B, C>();
  } else {
    return false;
  }
}

/// Fails to compile with one sentence for each hook that is misspelt, has another signature, or is declared
/// and not listed.
template <class P, class B, class C>
constexpr void explain_hooks() {
  P::Replaces::template explain<P>();
  []<class... Hook>(std::type_identity<std::tuple<Hook...>>) {
    (Hook::template explain<P, fault_of_policy<Hook, P, B, C>()>(), ...);
  }(std::type_identity<AllHooks>{});
}

/// Fails to compile with one sentence unless P and all that it wraps are policies.
template <class P, class B = AnyBackend, class C = AnyCommunicator>
constexpr bool explain_policy() {
  if constexpr (!std::is_same_v<P, Local>) {
    static_assert(HasPolicyMembers<P, B, C>,
                  "weft: this type is no policy: derive it from weft::AxisPolicy or weft::PolicyAtDepth, and "
                  "give it Replaces, the Hooks that it replaces, and the class template On<Backend, "
                  "Communicator>");
    if constexpr (HasPolicyMembers<P, B, C>) {
      explain_policy<typename P::Inner, B, C>();
      static_assert(WrapsInner<P, B, C>,
                    "weft: derive the policy's On<Backend, Communicator> from typename Inner::template "
                    "On<Backend, Communicator>, from which it inherits the hooks that it does not replace");
      if constexpr (WrapsInner<P, B, C>) explain_hooks<P, B, C>();
    }
  }
  return is_policy<P, B, C>();
}

}  // namespace detail

/// A parallel method: a class template over the policy that it wraps, `Local` at last. It has a depth, which
/// says where in a stack it may stand, and a class On<Backend, Communicator> for a rank's part of it, which
/// derives from that of the wrapped policy and declares the hooks that it replaces; local.hpp says what each
/// does. A hook that returns nothing calls that of the wrapped policy too, but for `attend`, which need not.
/// `Replaces` lists these, so that one that is misspelt or has another signature does not compile. A policy
/// for an axis of the mesh derives from AxisPolicy, any other from PolicyAtDepth.
///
/// What hooks queue is recorded once and replayed in later steps: they read the step on the device, by
/// queue.step().
template <class P, class Backend = detail::AnyBackend, class Communicator = detail::AnyCommunicator>
concept Policy = detail::is_policy<P, Backend, Communicator>();

}  // namespace weft::inline v0_1
