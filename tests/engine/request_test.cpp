// Requests one after another on the same engine: each gives the bits that it gives on an engine of its own.
#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "requests.hpp"
#include "worlds.hpp"

namespace {

/// Returns the images of every request, as rank 0 gets them.
std::vector<weft::Tensor> generate_all(const Model& model, const weft::Mesh& mesh,
                                       const std::vector<weft::Request<Prompt>>& requests) {
  std::vector<weft::Tensor> results;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Full> engine(model, mesh, world);
    for (const auto& request : requests) {
      weft::Tensor images = engine.generate(request);
      if (world.rank() == 0) results.push_back(std::move(images));
    }
  });
  return results;
}

/// Calls body(engine) on an engine of one rank.
template <class Body>
void alone(const HostGolden& golden, const Body& body) {
  weft::launch(1, [&](weft::threads::World& world) {
    weft::Engine<Model, weft::Local> engine(golden.model, {}, world);
    body(engine);
  });
}

void compare(const HostGolden& golden, const weft::Mesh& mesh,
             const std::vector<weft::Request<Prompt>>& requests) {
  CAPTURE(name_of(mesh));
  const std::vector<weft::Tensor> found = generate_all(golden.model, mesh, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CAPTURE(i);
    CHECK(found[i].data == generate(golden.model, mesh, requests[i]).data);
  }
}

}  // namespace

TEST_CASE("A request gives the same bits after any earlier request") {
  const HostGolden golden("v12");
  for (const weft::Mesh& mesh :
       {weft::Mesh{}, {.cfg = 2}, {.ulysses = 2, .ring = 2}, {.cfg = 2, .pipe = 2, .patches = 3}})
    compare(golden, mesh, various_requests(golden, mesh));
}

TEST_CASE("Uneven shares of the prompts, of which only one rank's changes, give the same bits") {
  const HostGolden golden("v12");
  std::vector<weft::Request<Prompt>> requests;
  for (const weft::Index count : {3, 4, 3, 3, 5}) requests.push_back(several_prompts(golden, count));
  compare(golden, {.data = 2}, requests);
  compare(golden, {.data = 2, .ulysses = 2}, requests);
}

TEST_CASE("An evaluation between requests gives the same bits, and so do they") {
  const HostGolden golden("v12");
  const auto request = golden.request("ddim");
  const auto evaluation = golden.evaluation();
  auto other = evaluation;
  other.times.data[0] += 100;
  std::swap(other.prompts.front(), other.prompts.back());
  const weft::Mesh mesh{.ulysses = 2};
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Full> engine(golden.model, mesh, world);
    const auto evaluate = [&](const weft::Evaluation<Prompt>& asked) {
      const weft::Tensor sample = engine.forward(asked);
      if (world.rank() == 0) CHECK(sample.data == forward(golden.model, mesh, asked).data);
    };
    evaluate(evaluation);
    evaluate(other);
    const weft::Tensor images = engine.generate(request);
    if (world.rank() == 0) CHECK(images.data == generate(golden.model, mesh, request).data);
    evaluate(evaluation);
  });
}

TEST_CASE("A second request of a shape records nothing, and allocates less memory") {
  const HostGolden golden("v12");
  alone(golden, [&golden](auto& engine) {
    auto request = golden.request("ddpm_rescale");
    request.step_noise = {};
    const auto counted = [&] {
      const weft::QueueCounts before = engine.queue().counts();
      engine.generate(request);
      return engine.queue().counts() - before;
    };
    const weft::QueueCounts first = counted();
    request.seed = 7, request.guidance = 3, request.guidance_rescale = 0.2f;
    std::swap(request.prompts, request.negatives);
    const weft::QueueCounts second = counted();
    CHECK(first.recordings > 0);
    CHECK(second.recordings == 0);
    CHECK(second.allocations < first.allocations);
    request.guidance_rescale = 0;
    CHECK(counted().recordings > 0);
    request.negatives.clear(), request.guidance = 1;
    CHECK(counted().recordings > 0);
  });
}

TEST_CASE("After a request that fails, is rejected or holds a NaN the next gives the same bits") {
  const HostGolden golden("v12");
  alone(golden, [&golden](auto& engine) {
    const auto request = golden.request("ddpm");
    auto rejected = request;
    rejected.height = 17;
    const weft::Tensor expected = engine.generate(request);
    const auto recordings_of_next = [&] {
      const weft::Index before = engine.queue().counts().recordings;
      CHECK(engine.generate(request).data == expected.data);
      return engine.queue().counts().recordings - before;
    };
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_WITH(engine.generate(failing_request(request)), "enough");
      CHECK(recordings_of_next() > 0);
      CHECK_THROWS_AS(engine.generate(rejected), weft::InvalidArgument);
      CHECK(recordings_of_next() == 0);
      CHECK(std::isnan(engine.generate(spoilt_request(request)).data.front()));
      CHECK(recordings_of_next() == 0);
    }
  });
}

TEST_CASE("A request's seconds are those of its steps and some more") {
  const HostGolden golden("v12");
  alone(golden, [&golden](auto& engine) {
    const auto request = golden.request("ddim");
    engine.generate(request);
    CHECK(engine.step_seconds().size() == request.sampler.size());
    CHECK(seconds_beyond_steps(engine) > 0);
    CHECK(seconds_beyond_steps(engine) < engine.request_seconds());
  });
}
