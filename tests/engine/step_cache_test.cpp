// Steps that leave blocks out, on any mesh.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "cases.hpp"
#include "toy.hpp"
#include "weft/comm/solo.hpp"
#include "worlds.hpp"

using weft::Index;
using weft::Mesh;
using weft::Range;
using weft::Reuse;
using weft::Tensor;

namespace {

/// Returns random steps of `count` that reuse, with 0 to 3 blocks at either end.
Reuse random_reuse(RandomMeshes& random, Index count) {
  Reuse out;
  for (Index step = 1; step < count; ++step)
    if (random.draw(0, 1)) out.steps.push_back(step);
  if (!out.empty()) out.ends = random.draw(0, 3);
  return out;
}

weft::Request<Prompt> five_steps(const Golden& golden, int number) {
  auto request = two_images(golden, number, 10, 14);
  request.sampler = weft::make_sampler("ddim", golden.scheduler(), 5);
  return request;
}

Toy folded_toy() {
  Toy model;
  model.numbers.blocks = 7, model.numbers.placement = weft::Placement::folded;
  return model;
}

}  // namespace

TEST_CASE("step cache: any mesh with full warm-up equals one rank with the same steps") {
  RandomMeshes random;
  const HostGolden golden("v12");
  for (int i = 0; i < 12; ++i) {
    auto request = five_steps(golden, i);
    const Tensor full = generate(golden.model, {}, request);
    request.reuse = random_reuse(random, 5);
    const Tensor serial = generate(golden.model, {}, request);
    const Mesh mesh = random.sliced(golden.model.shape(), 2, 5);
    CAPTURE(name_of(mesh));
    CAPTURE(request.reuse.ends);
    CHECK(relative_l2(generate(golden, mesh, request), serial) <= 1e-5);
    if (!request.reuse.empty()) CHECK(relative_l2(serial, full) > 1e-4);
  }
}

TEST_CASE("step cache: what is stale depends on patches, and not on stages") {
  RandomMeshes random;
  for (const weft::Placement placement : {weft::Placement::contiguous, weft::Placement::folded}) {
    Toy model = folded_toy();
    model.numbers.placement = placement;
    auto request = toy_request(8);
    for (int i = 0; i < 8; ++i) {
      request.reuse = random_reuse(random, 8);
      const Mesh one{.patches = 5, .warmup = 1 + i % 3};
      const Tensor serial = toy_result(model, one, request);
      for (Mesh mesh : {Mesh{.pipe = 2}, {.pipe = 3, .ring = 2}, {.cfg = 2, .pipe = 2, .ulysses = 2}}) {
        mesh.patches = one.patches, mesh.warmup = one.warmup;
        CAPTURE(name_of(mesh));
        CHECK(relative_l2(toy_result(model, mesh, request), serial) <= 1e-5);
      }
    }
  }
}

TEST_CASE("step cache: the blocks of the middle run in full steps alone, and those at the ends in all") {
  Toy model = folded_toy();
  std::vector<Index> ran;
  model.ran = [&ran](Index i) { ran.push_back(i); };
  auto request = toy_request(6);
  request.reuse = {{1, 2, 4}, 2};
  static_cast<void>(toy_result(model, {}, request));
  std::vector<Index> expected;
  for (Index step = 0; step < 6; ++step)
    for (Index i = 0; i < 7; ++i)
      if (!request.reuse.contains(step) || i < 2 || i > 4) expected.push_back(i);
  CHECK(ran == expected);
}

TEST_CASE("step cache: a reused step adds what the last full one added") {
  // Where no number depends on the step, and a step that takes nothing of its prediction leaves the state as
  // it is, every step adds the same.
  const Toy model = folded_toy();
  auto request = toy_request(4);
  for (weft::SamplerStep& step : request.sampler)
    step = {.timestep = 500, .alpha = 1, .sigma = 1, .keep = 1, .take = 0};
  request.sampler.back().take = 1;
  const Tensor full = toy_result(model, {}, request);
  for (const Index ends : {0, 1, 3})
    for (const Mesh& mesh : {Mesh{}, {.pipe = 3, .patches = 4}, {.ulysses = 2, .ring = 2}}) {
      request.reuse = {{1, 3}, ends};
      CHECK(largest_difference(toy_result(model, mesh, request), full) < 1e-5);
    }
  request.sampler[2].take = 0.5f;  // the last full step is another, and its residual counts
  request.reuse = {};
  const Tensor changed = toy_result(model, {}, request);
  request.reuse = {{3}};
  CHECK(largest_difference(toy_result(model, {}, request), changed) > 1e-3);
}

TEST_CASE("step cache: an engine serves requests with other steps that reuse, as a new engine does") {
  const Toy model = folded_toy();
  auto request = toy_request(5);
  weft::Solo<Toy::Queue> world;
  weft::Engine<Toy, weft::StepCache<>, weft::Solo<Toy::Queue>> engine(model, {}, world);
  for (const Reuse& reuse : {Reuse{}, {{1, 3}}, {{1, 3}, 2}, {{1, 3}, 2}, {{2}, 2}, {}}) {
    request.reuse = reuse;
    CHECK(engine.generate(request).data == toy_result(model, {}, request).data);
  }
}

TEST_CASE("step cache: steps that cannot reuse are rejected, and stacks without the policy") {
  const Toy model = folded_toy();
  auto request = toy_request(4);
  const auto check = [&model, &request]<class Parallel>(std::type_identity<Parallel>, const char* sentence) {
    CHECK_THROWS_WITH_AS((weft::Engine<Toy, Parallel>::check(model, {}, request)),
                         doctest::Contains(sentence), weft::InvalidArgument);
  };
  request.reuse = {{4}};
  check(std::type_identity<Full>{},
        "step 4 is to reuse an earlier one, and of 4 steps those from 1 to 3 can");
  request.reuse = {{3}};
  check(std::type_identity<weft::CfgParallel<>>{}, "this stack of policies lacks StepCache");
}
