// Invariants of an engine: failures leave nothing behind, folds may have any number of blocks, guidance may
// have one branch, and tensors must match their shapes.
#include <doctest/doctest.h>

#include <new>
#include <stdexcept>
#include <stop_token>
#include <utility>
#include <vector>

#include "toy.hpp"
#include "weft/comm/solo.hpp"

using doctest::Contains;
using weft::Index;
using weft::InvalidArgument;
using weft::Mesh;
using weft::Tensor;

namespace {

weft::Request<int> smaller_request() {
  auto request = toy_request();
  request.height = request.width = 4;
  return request;
}

/// An engine of one rank.
struct Alone {
  using World = weft::Solo<weft::host::Queue>;
  World world;
  weft::Engine<Toy, weft::Local, World> engine;

  explicit Alone(const Toy& model) : engine(model, {}, world) {}
};

/// Takes more scratch when it runs than when it is counted.
struct Greedy : Toy {
  void unembed(auto& context, const weft::Tensor& shifts, weft::View<const float, 3> x,
               weft::View<float, 3> prediction) const {
    if constexpr (std::is_same_v<decltype(context.queue()), Queue&>)
      context.scratch().take(std::array{Index{1} << 20});
    Toy::unembed(context, shifts, x, prediction);
  }
};

}  // namespace

TEST_CASE(
    "After a request that fails, wherever it does, it and a smaller one give the bits of a new engine") {
  Toy model;
  const auto request = toy_request(), smaller = smaller_request();
  const Tensor expected = Alone(model).engine.generate(request),
               expected_smaller = Alone(model).engine.generate(smaller);
  Alone alone(model);
  const auto check_others = [&] {
    model.ran = {}, model.takes_memory = {};
    CHECK(alone.engine.generate(request).data == expected.data);
    CHECK(alone.engine.generate(smaller).data == expected_smaller.data);
  };
  SUBCASE("where memory is taken, twice") {
    for (int i = 0; i < 2; ++i) {
      model.takes_memory = [] { throw std::bad_alloc(); };
      CHECK_THROWS_AS(alone.engine.generate(request), std::bad_alloc);
    }
    check_others();
  }
  SUBCASE("where memory is taken, after one that succeeded") {
    check_others();
    model.takes_memory = [] { throw std::bad_alloc(); };
    CHECK_THROWS_AS(alone.engine.generate(request), std::bad_alloc);
    check_others();
  }
  SUBCASE("in any of its blocks") {
    for (int last = 0; last < 12; ++last) {
      int before = last;
      model.ran = [&before](Index) {
        if (before-- == 0) throw std::runtime_error("enough");
      };
      CHECK_THROWS_WITH(alone.engine.generate(request), "enough");
      check_others();
    }
  }
  SUBCASE("where it calls progress") {
    auto failing = request;
    failing.progress = [](Index) { throw std::runtime_error("enough"); };
    CHECK_THROWS_WITH(alone.engine.generate(failing), "enough");
    check_others();
  }
}

TEST_CASE("Engines of many ranks can be used again after all of them have failed") {
  const auto request = toy_request(), smaller = smaller_request();
  for (const Mesh& mesh :
       {Mesh{.cfg = 2}, {.pipe = 3, .patches = 4, .warmup = 2}, {.ulysses = 2, .ring = 2}}) {
    const Tensor expected = toy_result({}, mesh, request), expected_smaller = toy_result({}, mesh, smaller);
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      Toy model;
      weft::Engine<Toy, Full> engine(model, mesh, world);
      for (int i = 0; i < 2; ++i) {
        model.takes_memory = [] { throw std::bad_alloc(); };
        CHECK_THROWS_AS(engine.generate(request), std::bad_alloc);
        model.takes_memory = {};
        const Tensor first = engine.generate(request), second = engine.generate(smaller);
        if (world.rank() != 0) continue;
        CHECK(first.data == expected.data);
        CHECK(second.data == expected_smaller.data);
      }
    });
  }
}

TEST_CASE("A request that any rank stops ends on all of them between two steps, and the engine goes on") {
  for (const Mesh& mesh :
       {Mesh{}, {.cfg = 2}, {.pipe = 2, .patches = 3, .warmup = 1}, {.ulysses = 2, .ring = 2}}) {
    const Tensor expected = toy_result({}, mesh, toy_request(4));
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      const Toy model;
      weft::Engine<Toy, Full> engine(model, mesh, world);
      const bool is_last = world.rank() + 1 == world.size();
      std::stop_source stop;
      auto request = toy_request(4);
      request.stop = stop.get_token();
      Index finished = 0;
      request.progress = [&finished](Index done) { finished = done; };
      CHECK(engine.generate(request).data == (world.rank() == 0 ? expected.data : std::vector<float>{}));
      if (world.rank() == 0) CHECK(finished == static_cast<Index>(request.sampler.size()));
      if (is_last) stop.request_stop();
      finished = 0;
      CHECK_THROWS_AS(engine.generate(request), weft::Cancelled);
      CHECK(finished <= 1);
      request.stop = {};
      CHECK(engine.generate(request).data == (world.rank() == 0 ? expected.data : std::vector<float>{}));
    });
  }
}

TEST_CASE("Previews are the latents after so many steps, and change nothing") {
  auto request = toy_request(4);
  const auto steps = static_cast<Index>(request.sampler.size());
  REQUIRE(steps >= 3);
  for (const Mesh& mesh : {Mesh{}, {.cfg = 2, .ulysses = 2}, {.pipe = 2, .patches = 2, .warmup = 2}}) {
    const Tensor expected = toy_result({}, mesh, request);
    std::vector<std::pair<Index, Tensor>> seen;
    auto watched = request;
    watched.preview_every = 1;
    watched.preview = [&seen](Index done, const Tensor& latents) { seen.emplace_back(done, latents); };
    CHECK(toy_result({}, mesh, watched).data == expected.data);
    REQUIRE(!seen.empty());
    CHECK(static_cast<Index>(seen.size()) < steps);
    CHECK(seen.front().first == 1);
    for (const auto& [done, latents] : seen) {
      CHECK(latents.shape == expected.shape);
      CHECK(latents.data != expected.data);
    }
    watched.preview_every = 2;
    seen.clear();
    CHECK(toy_result({}, mesh, watched).data == expected.data);
    CHECK(seen.front().first == 2);
  }
}

TEST_CASE("PipeFusion cancels what an aborted request has posted") {
  using Policy = weft::PipeFusion<>::On<weft::Host, weft::threads::Communicator>;
  weft::launch(2, [](weft::threads::World& world) {
    weft::host::Queue queue;
    Policy policy(world, {.pipe = 2});
    float given_up[4] = {}, wanted[4] = {};
    const weft::View<float, 3> stale(given_up, {1, 1, 4}), x(wanted, {1, 1, 4});
    weft::Task task;
    if (world.rank() == 0) {
      task.source = 1;
      policy.post_input(queue, task, stale);
      policy.release();
      policy.post_input(queue, task, x);
    }
    double nothing = 0;
    world.all_reduce(queue, weft::View<double, 1>(&nothing, {1}));
    if (world.rank() == 0) {
      policy.wait_input(queue, task);
      CHECK(wanted[3] == 4);
      CHECK(given_up[3] == 0);
    } else {
      std::fill_n(wanted, 4, 4.0f);
      task.destination = 0;
      policy.send_output(queue, task, x);
    }
    policy.finish(queue);
  });
}

TEST_CASE("Folds of any number of blocks run each once, in order, and skips connect paired blocks") {
  for (const Index blocks : {2, 3, 4, 5, 6, 9, 13}) {
    CAPTURE(blocks);
    Toy model;
    model.numbers.blocks = blocks, model.numbers.placement = weft::Placement::folded;
    for (Index i = 0; i < blocks; ++i)
      CHECK(model.numbers.is_kept(i) == model.numbers.reads_skip(blocks - 1 - i));
    std::vector<Index> ran, all;
    for (Index i = 0; i < blocks; ++i) all.push_back(i);
    model.ran = [&ran](Index i) { ran.push_back(i); };
    const Tensor one = toy_result(model, {}, toy_request(1));
    CHECK(ran == all);
    model.ran = {};

    for (int pipe = 2; pipe <= std::min<Index>(blocks / 2, 4); ++pipe) {
      CAPTURE(pipe);
      CHECK(largest_difference(toy_result(model, {.pipe = pipe, .patches = 5}, toy_request(1)), one) < 1e-5);
      CHECK(largest_difference(toy_result(model, {.pipe = pipe, .patches = 5}, toy_request(4)),
                               toy_result(model, {.patches = 5}, toy_request(4))) < 1e-5);
    }
  }
}

TEST_CASE("Guidance of 1 or less evaluates only the prompts, as without negatives") {
  Toy model;
  int blocks = 0;
  model.ran = [&blocks](Index) { ++blocks; };
  const auto counted = [&](weft::Request<int> request) {
    blocks = 0;
    return Alone(model).engine.generate(request);
  };
  auto request = toy_request(), plain = toy_request();
  plain.negatives.clear();
  const Tensor expected = counted(plain);
  for (const float guidance : {1.0f, 0.5f, 0.0f, -3.0f}) {
    CAPTURE(guidance);
    request.guidance = guidance;
    CHECK(request.branches() == 1);
    CHECK(counted(request).data == expected.data);
  }
  request.guidance = 1.5f;
  CHECK(request.branches() == 2);
  CHECK(counted(request).data != expected.data);

  Alone alone(model);
  CHECK(alone.engine.generate(request).data != expected.data);
  request.guidance = 1;
  CHECK(alone.engine.generate(request).data == expected.data);
}

TEST_CASE("Settings that need guidance are rejected without it") {
  const Toy model;
  using Engine = weft::Engine<Toy, Full>;
  const auto rejected = [&model](auto change, const char* sentence, const Mesh& mesh = {}) {
    auto request = toy_request();
    change(request);
    CHECK_THROWS_WITH_AS(Engine::check(model, mesh, request), Contains(sentence), InvalidArgument);
  };
  rejected(
      [](auto& r) { r.guidance = 1; },
      "the mesh has cfg 2, and without guidance there is 1 branch to evaluate; use cfg 1, or guidance above",
      {.cfg = 2});
  rejected([](auto& r) { r.guidance = 1, r.guidance_rescale = 0.5f; },
           "guidance rescale is 0.5, and there is no guidance to rescale, with guidance 1; use");
  rejected([](auto& r) { r.negatives.clear(), r.guidance_rescale = 0.5f; },
           "guidance rescale is 0.5, and there is no guidance to rescale, with no negative prompts; use");
  rejected(
      [](auto& r) { r.negatives.clear(), r.guidance = 3; },
      "guidance is 3, and there are no negative prompts to guide away from; give one for each prompt, or "
      "use guidance 1");
  rejected([](auto& r) { r.guidance = NAN; }, "guidance is nan and must be a finite number");
  rejected([](auto& r) { r.guidance_rescale = 1.5f; }, "guidance rescale is 1.5 and must be from 0 to 1");
  rejected([](auto& r) { r.guidance_rescale = NAN; }, "guidance rescale is nan and must be from 0 to 1");
}

TEST_CASE("A seed is rejected where no noise is drawn, and a preview where no step calls it") {
  const Toy model;
  using Engine = weft::Engine<Toy, Full>;
  auto request = toy_request();
  const auto rejected = [&model, &request](const char* sentence) {
    CHECK_THROWS_WITH_AS(Engine::check(model, {}, request), Contains(sentence), InvalidArgument);
  };
  request.seed = 7, request.noise = Tensor({1, 1, 8, 12}), request.step_noise = Tensor({2, 1, 1, 8, 12});
  rejected(
      "the seed is 7, and no noise is drawn, since the request has all that its sampler adds; use seed 0");
  request.step_noise = {};
  Engine::check(model, {}, request);  // its steps draw some
  for (weft::SamplerStep& step : request.sampler) step.noise = 0;
  rejected("the seed is 7");
  request.noise = {};
  Engine::check(model, {}, request);

  request.preview_every = -1;
  rejected("there are -1 steps between previews; use 1 or more, or 0 and no preview");
  request.preview_every = 0, request.preview = [](Index, const Tensor&) {};
  rejected("there are 0 steps between previews");
  request.preview_every = 1;
  Engine::check(model, {}, request);
}

TEST_CASE("Tensors whose data do not match their shape are rejected") {
  const Toy model;
  using Engine = weft::Engine<Toy, Full>;
  auto request = toy_request();
  request.noise = Tensor({1, 1, 8, 12});
  request.noise.data.resize(2);
  CHECK_THROWS_WITH_AS(Engine::check(model, {}, request),
                       "the starting noise is (1, 1, 8, 12) and has 2 numbers", InvalidArgument);
  weft::Evaluation<int> evaluation{{1}, Tensor({1, 1, 4, 4}), Tensor({1})};
  evaluation.times.data.clear();
  CHECK_THROWS_WITH_AS(Engine::check(model, {}, evaluation), "the times is (1) and has 0 numbers",
                       InvalidArgument);
}

TEST_CASE("An engine rejects a model with an invalid shape") {
  const auto rejected = [](auto change, const char* sentence) {
    Toy model;
    change(model.numbers);
    CHECK_THROWS_WITH_AS(Alone{model}, Contains(sentence), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)(weft::Engine<Toy, Full>::blocks({}, 0, model.numbers)), Contains(sentence),
                         InvalidArgument);
  };
  rejected([](auto& n) { n.blocks = 0; }, "number of blocks is 0 and must be at least 1");
  rejected([](auto& n) { n.heads = 0; }, "number of heads is 0");
  rejected([](auto& n) { n.head_dim = -8; }, "head_dim is -8");
  rejected([](auto& n) { n.heads = 3; },
           "width is 16 and must be its 3 heads of 8 features each, which are 24");
  rejected([](auto& n) { n.patch = 0; }, "patch is 0");
  rejected([](auto& n) { n.channels = 0; }, "number of channels is 0");
  rejected([](auto& n) { n.out_channels = 0; }, "predicts 0 channels and must predict at least the 1");
  rejected([](auto& n) { n.blocks = 1, n.placement = weft::Placement::folded; }, "are folded, and it has 1");
  rejected([](auto& n) { n.ffn = -1; }, "ffn is -1 and must not be negative");
}

TEST_CASE("Engine::blocks rejects an invalid mesh, and a rank out of range") {
  using Engine = weft::Engine<Toy, Full>;
  const weft::DitShape shape = Toy().shape();
  CHECK_THROWS_WITH_AS((void)Engine::blocks({.pipe = 0}, 0, shape), Contains("the mesh has pipe 0"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS((void)Engine::blocks({.pipe = 7}, 0, shape), Contains("at most 6 stages"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS((void)Engine::blocks({.pipe = 2}, 2, shape), Contains("no rank 2 in a mesh of 2"),
                       InvalidArgument);
  CHECK_THROWS_AS((void)Engine::blocks({.pipe = 2}, -1, shape), InvalidArgument);
}

TEST_CASE("An engine cannot be made from a temporary model") {
  using Engine = weft::Engine<Toy, Full>;
  using World = weft::threads::World;
  static_assert(std::is_constructible_v<Engine, const Toy&, const Mesh&, World&>);
  static_assert(!std::is_constructible_v<Engine, Toy, const Mesh&, World&>);
  static_assert(!std::is_constructible_v<Engine, const Toy, const Mesh&, World&>);
}

TEST_CASE("Scratch is aligned to 256 bytes, and as large as what was measured") {
  weft::host::Queue queue;
  weft::Scratch<weft::Host> scratch;
  scratch.take(std::array{Index{3}});
  for (const Index count : {1, 64, 30}) CHECK(scratch.take(std::array{count}).data != nullptr);
  scratch.reset();
  scratch.take(std::array{Index{100}});
  CHECK(scratch.size() == 4 * 64);
  scratch.allocate(queue);
  CHECK(queue.counts().allocations == 1);

  const float* const first = scratch.take(std::array{Index{3}}).data;
  for (const Index count : {1, 64, 30}) CHECK((scratch.take(std::array{count}).data - first) % 64 == 0);
  CHECK_THROWS_WITH_AS(scratch.take(std::array{Index{1}}),
                       Contains("takes 320 elements of scratch, and took 256 when they were measured"),
                       std::logic_error);
  scratch.reset();
  CHECK(scratch.take(std::array{Index{256}}).data == first);
}

TEST_CASE("A model that takes more scratch when it runs than when it is counted is an error") {
  weft::Solo<Greedy::Queue> world;
  const Greedy model;
  weft::Engine<Greedy, weft::Local, weft::Solo<Greedy::Queue>> engine(model, {}, world);
  CHECK_THROWS_WITH_AS(engine.generate(toy_request()), Contains("elements of scratch, and took"),
                       std::logic_error);
}
