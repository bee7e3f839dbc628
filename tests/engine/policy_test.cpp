// A policy from outside of the library, which counts calls and has no axis.
#include <doctest/doctest.h>

#include <atomic>
#include <vector>

#include "toy.hpp"

using weft::Axis;
using weft::Index;
using weft::Mesh;
using weft::Tensor;

namespace {

std::atomic<Index> attended = 0, finished = 0;

template <int own_depth, class Inner>
struct CountCalls : weft::PolicyAtDepth<own_depth, Inner> {
  using Replaces = weft::Hooks<"attend", "finish">;

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
      ++attended;
      Base::attend(queue, scope, q, out);
    }
    void finish(Queue& queue) {
      ++finished;
      Base::finish(queue);
    }
  };
};

constexpr int above_attention = weft::depth_between(Axis::pipe, Axis::ulysses);
using Counted = weft::DataParallel<
    weft::CfgParallel<weft::PipeFusion<CountCalls<above_attention, weft::Ulysses<weft::Ring<>>>>>>;
using Outermost = CountCalls<0, Full>;

static_assert(weft::Policy<Counted> && weft::Policy<Outermost>);

}  // namespace

TEST_CASE("A policy without an axis sees every call, and changes nothing, on every mesh") {
  const Toy model;
  weft::Request<int> request = toy_request(3);
  request.prompts = {3, 5};
  request.negatives = {4, 6};
  const std::vector<Mesh> meshes{{},
                                 {.data = 2},
                                 {.cfg = 2},
                                 {.pipe = 2},
                                 {.ulysses = 2},
                                 {.ring = 2},
                                 {.patches = 3},
                                 {.pipe = 3, .patches = 4, .warmup = 2},
                                 {.ulysses = 2, .ring = 2},
                                 {.cfg = 2, .pipe = 2, .ulysses = 2, .patches = 3},
                                 {.data = 2, .cfg = 2, .ring = 2}};
  const auto check = [&]<class Parallel>(const Mesh& mesh, std::type_identity<Parallel>) {
    CAPTURE(name_of(mesh));
    attended = finished = 0;
    Tensor images;
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      Tensor own = weft::Engine<Toy, Parallel>(model, mesh, world).generate(request);
      if (world.rank() == 0) images = own;
    });
    CHECK(images.data == toy_result(model, mesh, request).data);
    const Index steps = static_cast<Index>(request.sampler.size());
    const Index units =
        mesh.patch_count() > 1 ? mesh.warmup + (steps - mesh.warmup) * mesh.patch_count() : steps;
    CHECK(attended == units * model.numbers.blocks * mesh.ranks() / mesh.pipe);
    CHECK(finished > 0);
  };
  for (const Mesh& mesh : meshes) {
    check(mesh, std::type_identity<Counted>{});
    check(mesh, std::type_identity<Outermost>{});
  }
}
