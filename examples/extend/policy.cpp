// A policy of your own: it sees every call of attention, on whatever mesh, and counts them.
#include <atomic>
#include <iostream>

#include "ranks.hpp"
#include "small_dit.hpp"

std::atomic<int> calls = 0;  // of all ranks

/// A policy wraps another one. This one has no axis of the mesh, so it says where it stands: outside of the
/// policies that split attention. One with an axis derives from weft::AxisPolicy.
template <class Inner = weft::Local>
struct CountAttention
    : weft::PolicyAtDepth<weft::depth_between(weft::Axis::pipe, weft::Axis::ulysses), Inner> {
  using Replaces = weft::Hooks<"attend">;  // a misspelt hook does not compile

  /// A rank's part. It inherits every hook that it does not replace; weft/policy/local.hpp describes them.
  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using Base::Base;
    using typename Base::Element;
    using typename Base::Queue;
    using typename Base::Result;

    void attend(Queue& queue, const weft::Scope& scope, const weft::View<const Element, 4>& q,
                const Result& out) {
      ++calls;
      Base::attend(queue, scope, q, out);
    }
  };
};
static_assert(weft::Policy<CountAttention<>>);

int main() {
  using Plain = weft::Ulysses<weft::Ring<>>;
  using Counted = CountAttention<weft::Ulysses<weft::Ring<>>>;
  const weft::Request<int> request = digits_request(ddim_steps(3));
  const weft::Mesh mesh{.ulysses = 2, .ring = 2};
  const weft::Tensor plain = generated<SmallDit<Backend>, Plain>(mesh, request);
  const weft::Tensor counted = generated<SmallDit<Backend>, Counted>(mesh, request);
  std::cout << "Four ranks have attended " << calls << " times.\n";
  // A device records the work of a step once, and replays it in the others.
  const int steps = std::is_same_v<World, weft::threads::World> ? 3 : 1;
  return plain.data == counted.data && calls >= steps * 5 * 4 ? 0 : 1;
}
