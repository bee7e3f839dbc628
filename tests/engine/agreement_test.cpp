// Ranks with different inputs are rejected together, before any work.
#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "toy.hpp"

using weft::InvalidArgument;
using weft::Tensor;

namespace {

/// The inputs of one rank.
struct Given {
  Toy model;
  weft::Mesh mesh{.ring = 3};
  weft::Request<int> request = toy_request();
  weft::Evaluation<int> evaluation{{1, 2}, Tensor({2, 1, 4, 4}), Tensor({2})};
};

struct Difference {
  std::string sentence;  // up to "; all ranks must be given the same …"
  std::function<void(Given&)> change;
};

/// Returns the sentences that three ranks catch where `change` alters the inputs of those in `changed`.
template <class Parallel = Full>
std::array<std::string, 3> rejections(const std::function<void(Given&)>& change,
                                      const std::vector<int>& changed, bool evaluates = false) {
  std::array<std::string, 3> out;
  weft::launch(3, [&](weft::threads::World& world) {
    Given given;
    if (std::ranges::count(changed, world.rank()) > 0) change(given);
    int worked = 0;
    given.model.ran = [&worked](weft::Index) { ++worked; };
    try {
      weft::Engine<Toy, Parallel> engine(given.model, given.mesh, world);
      evaluates ? engine.forward(given.evaluation) : engine.generate(given.request);
    } catch (const InvalidArgument& rejection) {
      CHECK(worked == 0);
      out[static_cast<std::size_t>(world.rank())] = rejection.what();
    }
  });
  return out;
}

void compare(const Difference& difference, const char* kind, bool evaluates = false) {
  CAPTURE(difference.sentence);
  for (const int rank : {1, 2}) {
    const auto caught = rejections(difference.change, {rank}, evaluates);
    std::string expected = difference.sentence + "; all ranks must be given the same " + kind;
    expected.replace(expected.find("rank 1"), 6, weft::sentence("rank ", rank));
    for (const std::string& sentence : caught) CHECK(sentence == expected);
  }
}

}  // namespace

TEST_CASE("Requests of which one rank's differs are rejected on all ranks, naming the difference") {
  const std::vector<Difference> differences{
      {"rank 1 was asked for seed 9 and rank 0 for seed 0", [](Given& g) { g.request.seed = 9; }},
      {"rank 1 was asked for height 10 and rank 0 for height 8", [](Given& g) { g.request.height = 10; }},
      {"rank 1 was asked for height 7 and rank 0 for height 8", [](Given& g) { g.request.height = 7; }},
      {"rank 1 was asked for width 14 and rank 0 for width 12", [](Given& g) { g.request.width = 14; }},
      {"rank 1 was asked for steps 3 and rank 0 for steps 2",
       [](Given& g) { g.request.sampler = toy_sampler(3); }},
      {"rank 1 was asked for steps 1 and rank 0 for steps 2",
       [](Given& g) { g.request.sampler = toy_sampler(1); }},
      {"rank 1 was asked for reuse in steps 1 but for 2 blocks at either end and rank 0 for reuse in no step",
       [](Given& g) {
         g.request.reuse = {{1}, 2};
       }},
      {"rank 1 was asked for another sampler than rank 0",
       [](Given& g) { g.request.sampler[1].take += 1e-6f; }},
      {"rank 1 was asked for another sampler than rank 0",
       [](Given& g) { g.request.sampler[1].timestep += 1; }},
      {"rank 1 was asked for guidance 5.0000005 and rank 0 for guidance 5",
       [](Given& g) { g.request.guidance = std::nextafter(5.0f, 6.0f); }},
      {"rank 1 was asked for guidance rescale 0.5 and rank 0 for guidance rescale 0",
       [](Given& g) { g.request.guidance_rescale = 0.5f; }},
      {"rank 1 was asked for prompts 2 and rank 0 for prompts 1",
       [](Given& g) {
         g.request.prompts = {3, 3}, g.request.negatives = {4, 4};
       }},
      {"rank 1 was asked for a preview at no step and rank 0 for no preview at no step",
       [](Given& g) { g.request.preview = [](weft::Index, const Tensor&) {}; }},
      {"rank 1 was asked for another prompt 0 than rank 0", [](Given& g) { g.request.prompts = {5}; }},
      {"rank 1 was asked for negative prompts 0 and rank 0 for negative prompts 1",
       [](Given& g) { g.request.negatives.clear(); }},
      {"rank 1 was asked for another negative prompt 0 than rank 0",
       [](Given& g) { g.request.negatives = {5}; }},
      {"rank 1 was asked for starting noise (1, 1, 8, 12) and rank 0 for starting noise drawn from the seed",
       [](Given& g) {
         g.request.noise = Tensor({1, 1, 8, 12});
       }},
      {"rank 1 was asked for noise of the steps (2, 1, 1, 8, 12) and rank 0 for noise of the steps drawn "
       "from "
       "the seed",
       [](Given& g) {
         g.request.step_noise = Tensor({2, 1, 1, 8, 12});
       }},
  };
  for (const Difference& difference : differences) compare(difference, "request");
}

TEST_CASE("Noises of which one number differs are rejected on all ranks") {
  const auto with_noise = [](float number) {
    auto request = toy_request();
    request.noise = Tensor({1, 1, 8, 12}), request.step_noise = Tensor({2, 1, 1, 8, 12});
    request.step_noise.data.back() = number;
    return request;
  };
  weft::launch(2, [&](weft::threads::World& world) {
    const Toy model;
    weft::Engine<Toy, Full> engine(model, {.ring = 2}, world);
    CHECK_THROWS_WITH_AS(
        engine.generate(with_noise(static_cast<float>(world.rank()))),
        "rank 1 was asked for another noise of the steps than rank 0; all ranks must be given "
        "the same request",
        InvalidArgument);
    CHECK_NOTHROW(engine.generate(with_noise(1)));
  });
}

TEST_CASE("Evaluations of which one rank's differs are rejected on all ranks") {
  const std::vector<Difference> differences{
      {"rank 1 was asked for another prompt 1 than rank 0", [](Given& g) { g.evaluation.prompts[1] = 7; }},
      {"rank 1 was asked for another latents than rank 0",
       [](Given& g) { g.evaluation.latents.data[5] = 7; }},
      {"rank 1 was asked for latents (2, 1, 4, 6) and rank 0 for latents (2, 1, 4, 4)",
       [](Given& g) {
         g.evaluation.latents = Tensor({2, 1, 4, 6});
       }},
      {"rank 1 was asked for another times than rank 0", [](Given& g) { g.evaluation.times.data[1] = 7; }},
      {"rank 1 was asked for times (1) and rank 0 for times (2)",
       [](Given& g) { g.evaluation.times = Tensor({1}); }},
      {"rank 1 was asked for prompts 1 and rank 0 for prompts 2",
       [](Given& g) { g.evaluation.prompts.pop_back(); }},
  };
  for (const Difference& difference : differences) compare(difference, "evaluation", true);
}

TEST_CASE(
    "Engines of which one's mesh or model differs are rejected on all ranks, before they split the world") {
  const std::vector<Difference> differences{
      {"rank 1 was asked for ring 1 and rank 0 for ring 3", [](Given& g) { g.mesh = {.ulysses = 3}; }},
      {"rank 1 was asked for ring 0 and rank 0 for ring 3", [](Given& g) { g.mesh.ring = 0; }},
      {"rank 1 was asked for patches 2 and rank 0 for patches 1", [](Given& g) { g.mesh.patches = 2; }},
      {"rank 1 was asked for warmup 2 and rank 0 for warmup 1", [](Given& g) { g.mesh.warmup = 2; }},
      {"rank 1 was asked for ring cache copy and rank 0 for ring cache rotate",
       [](Given& g) { g.mesh.ring_cache = weft::RingCache::copy; }},
      {"rank 1 was asked for a model of 5 blocks, 2 heads of 8, patch 2, 1 channels and 1 predicted ones and "
       "rank 0 "
       "for a model of 6 blocks, 2 heads of 8, patch 2, 1 channels and 1 predicted ones",
       [](Given& g) { g.model.numbers.blocks = 5; }},
      {"rank 1 was asked for a model of 6 blocks, 2 heads of 8, 1 of keys, patch 2, 1 channels and 1 "
       "predicted "
       "ones and rank 0 for a model of 6 blocks, 2 heads of 8, patch 2, 1 channels and 1 predicted ones",
       [](Given& g) { g.model.numbers.kv_heads = 1; }},
      {"rank 1 was asked for another model than rank 0", [](Given& g) { g.model.weights = 1; }},
  };
  for (const Difference& difference : differences) compare(difference, "engine");
}

TEST_CASE("If several ranks differ, the first is named") {
  for (const std::string& sentence : rejections([](Given& g) { g.request.seed = 8; }, {1, 2}))
    CHECK(sentence.starts_with("rank 1 was asked for seed 8 and rank 0 for seed 0;"));
  for (const std::string& sentence : rejections([](Given& g) { g.request.seed = 8; }, {0, 2}))
    CHECK(sentence.starts_with("rank 1 was asked for seed 0 and rank 0 for seed 8;"));
}

TEST_CASE("Ranks that call different members are rejected, and policies and types are compared") {
  const auto told_to = [](const auto& on_first, const auto& on_second) {
    weft::launch(2, [&](weft::threads::World& world) {
      try {
        world.rank() == 0 ? on_first(world) : on_second(world);
        FAIL("nothing was rejected");
      } catch (const InvalidArgument& rejection) {
        CHECK_MESSAGE(std::string(rejection.what()).starts_with("rank 1 was asked for "), rejection.what());
      }
    });
  };
  const Given given;
  const auto generate = [&given](weft::threads::World& world) {
    weft::Engine<Toy, Full>(given.model, {.ring = 2}, world).generate(given.request);
  };
  told_to(generate, [&given](weft::threads::World& world) {
    weft::Engine<Toy, Full>(given.model, {.ring = 2}, world).forward(given.evaluation);
  });
  told_to(generate, [&given](weft::threads::World& world) {
    weft::Engine<Toy, weft::Ring<>>(given.model, {.ring = 2}, world).generate(given.request);
  });
  told_to(generate, [&given](weft::threads::World& world) {
    weft::Engine<Toy, Full> engine(given.model, {.ring = 2}, world);
    weft::Engine<Toy, Full> another(given.model, {.ring = 2}, world);
  });
}

TEST_CASE("After a difference, ranks that agree can use the same engine") {
  weft::launch(3, [](weft::threads::World& world) {
    const Toy model;
    weft::Engine<Toy, Full> engine(model, {.ring = 3}, world);
    const Tensor expected = engine.generate(toy_request());
    auto other = toy_request();
    other.seed = static_cast<std::uint64_t>(world.rank());
    for (int i = 0; i < 3; ++i) {
      CHECK_THROWS_AS(engine.generate(other), InvalidArgument);
      CHECK(engine.generate(toy_request()).data == expected.data);
    }
  });
}

TEST_CASE("An input that is invalid on one rank only is rejected as a difference") {
  for (const std::string& sentence : rejections([](Given& g) { g.request.prompts = {-1}; }, {2}))
    CHECK(sentence.starts_with("rank 2 was asked for another prompt 0 than rank 0"));
  for (const std::string& sentence : rejections([](Given& g) { g.request.prompts = {-1}; }, {0, 1, 2}))
    CHECK(sentence == "a prompt is -1 and must be from 0");
}
