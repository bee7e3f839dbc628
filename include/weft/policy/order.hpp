// The order of policies in a stack, checked at compile time.
#pragma once

#include "weft/comm/mesh.hpp"

namespace weft::inline v0_1::detail {

/// Returns the position of an axis's policy in a stack, counted from the outermost.
constexpr int depth_of(Axis axis) {
  switch (axis) {
    case Axis::data:
      return 0;
    case Axis::cfg:
      return 1;
    case Axis::pipe:
      return 2;
    case Axis::ulysses:
      return 3;
    default:
      return 4;
  }
}
constexpr int depth_of_local = 5;

/// The base of every policy, which holds the rules of a stack.
template <Axis own, class InnerPolicy>
struct Ordered {
  static constexpr int depth = depth_of(own);

  static_assert(
      !InnerPolicy::template has<own>,
      "weft: use each policy once; write DataParallel<CfgParallel<PipeFusion<Ulysses<Ring<>>>>>, or leave "
      "out any of them");
  static_assert(
      InnerPolicy::template has<own> || depth < InnerPolicy::depth,
      "weft: put the policies in the order DataParallel<CfgParallel<PipeFusion<Ulysses<Ring<>>>>>; any of "
      "them may be left out");

  template <Axis axis>
  static constexpr bool has = axis == own || InnerPolicy::template has<axis>;
};

}  // namespace weft::inline v0_1::detail
