// The bases of policies: their places in a stack, checked at compile time.
#pragma once

#include <limits>

#include "weft/comm/mesh.hpp"

namespace weft::inline v0_1 {

/// Returns a depth between those of the policies of two axes, for a policy without an axis.
constexpr int depth_between(Axis outer, Axis inner) {
  return (info_of(outer).depth + info_of(inner).depth) / 2;
}

namespace detail {

constexpr int depth_of_local = std::numeric_limits<int>::max();

/// A type that can stand inside a policy.
template <class P>
concept Stackable = requires(Axis axis) {
  P::depth < depth_of_local;
  P::has(axis) || P::reuses_steps;
};

/// The position of a policy in a stack, and what it wraps.
template <int own_depth, class InnerPolicy>
struct Stacked {
  using Inner = InnerPolicy;
  static constexpr int depth = own_depth;

  static_assert(Stackable<Inner>,
                "weft: a policy wraps another one, or weft::Local, and the type that it wraps is none");

  /// Whether the stack has a policy for steps that leave blocks out.
  static constexpr bool reuses_steps = [] {
    if constexpr (Stackable<Inner>) return Inner::reuses_steps;
    return false;
  }();

  /// Returns whether the stack has a policy for the axis.
  static constexpr bool has(Axis axis) {
    if constexpr (Stackable<Inner>) return Inner::has(axis);
    return false;
  }

 protected:
  static constexpr bool is_outside() {
    if constexpr (Stackable<Inner>) return depth < Inner::depth;
    return true;
  }
};

}  // namespace detail

/// The base of a policy for an axis of the mesh.
template <Axis own, class InnerPolicy>
struct AxisPolicy : detail::Stacked<info_of(own).depth, InnerPolicy> {
 private:
  using Stack = detail::Stacked<info_of(own).depth, InnerPolicy>;

 public:
  static_assert(!Stack::has(own),
                "weft: use each policy once; write "
                "DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>, "
                "or leave out any of them");
  static_assert(Stack::has(own) || Stack::is_outside(),
                "weft: put the policies in the order "
                "DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>; "
                "any of them may be left out, and others stand where their depths say");

  static constexpr bool has(Axis axis) { return axis == own || Stack::has(axis); }
};

/// The base of a policy without an axis, which can stand outside of all policies of greater depths.
template <int own_depth, class InnerPolicy>
struct PolicyAtDepth : detail::Stacked<own_depth, InnerPolicy> {
  static_assert(
      detail::Stacked<own_depth, InnerPolicy>::is_outside(),
      "weft: a policy without an axis wraps policies of greater depths; those of data, cfg, pipe, tensor, "
      "ulysses and ring are 10, 20, 30, 36, 40 and 50, and StepCache's is 25");
};

}  // namespace weft::inline v0_1
