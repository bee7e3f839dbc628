// A pipeline's memory: what is planned, what it takes, and what is rejected.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <limits>
#include <regex>
#include <string>

#include "../counted_host.hpp"
#include "pipeline_golden.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"
#include "weft/engine/part.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/pipeline.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

using doctest::Contains;
using weft::ImageRequest;
using weft::Index;

namespace {

using CountedModel = weft::HunyuanDiT<CountedHost>;
using Alone = weft::Solo<weft::host::Queue>;

const PipelineGolden counted_golden("hunyuan_pipeline");

const weft::PipelineModels<CountedModel>& counted_models() {
  static const weft::PipelineModels<CountedModel> all(counted_golden.model());
  return all;
}

/// Returns a request that draws its noise.
ImageRequest request_for(const std::string& run) {
  ImageRequest out = counted_golden.request(run);
  out.steps = 2;
  out.noise = out.step_noise = {};
  out.resolution_binning = false;
  return out;
}

/// Lets the calling thread's buffers hold so many bytes more while it lives.
struct Limited {
  explicit Limited(double bytes) { HeldBytes::limit = HeldBytes::now + static_cast<Index>(bytes); }
  Limited(const Limited&) = delete;
  Limited& operator=(const Limited&) = delete;
  ~Limited() { HeldBytes::limit = std::numeric_limits<Index>::max(); }
};

void generate_twice(const ImageRequest& request) {
  Alone world;
  weft::Pipeline<CountedModel, weft::Local, Alone> pipeline(counted_models(), {}, world);
  for (int i = 0; i < 2; ++i) static_cast<void>(pipeline.generate(request));
}

/// Returns the bytes that two requests take at most, beside the weights.
double taken_by(const ImageRequest& request) {
  static_cast<void>(counted_models());
  const Index before = HeldBytes::peak = HeldBytes::now;
  generate_twice(request);
  return static_cast<double>(HeldBytes::peak - before);
}

/// Returns why the request is rejected where so many bytes are free; nothing where it is done in these.
std::string rejection(const ImageRequest& request, double free) {
  const Limited limited(free);
  try {
    generate_twice(request);
    return {};
  } catch (const weft::InvalidArgument& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a request is done where its memory suffices, and rejected before any work where it does not") {
  for (const char* run : {"run", "run_batch"}) {
    CAPTURE(run);
    const ImageRequest request = request_for(run);
    const double taken = taken_by(request);
    CHECK(rejection(request, 1.02 * taken).empty());
    HeldBytes::peak = HeldBytes::now;
    const double before = static_cast<double>(HeldBytes::now);
    CHECK_FALSE(rejection(request, 0.98 * taken).empty());
    CHECK(static_cast<double>(HeldBytes::peak) - before < 0.01 * taken);
  }
}

TEST_CASE("a request that is rejected names fewer or smaller images, which fit") {
  ImageRequest request = request_for("run");
  request.prompts.resize(6, request.prompts.front());
  const double for_fewer = 0.9 * taken_by(request);
  std::smatch found;
  const std::string too_many = rejection(request, for_fewer);
  CAPTURE(too_many);
  REQUIRE(
      std::regex_match(too_many, found,
                       std::regex("6 images of .* px take .* MB of memory beside the weights, and .* MB are "
                                  "free; ([1-5]) images? at a time would fit")));
  request.prompts.resize(std::stoul(found[1]));
  CHECK(rejection(request, for_fewer).empty());

  request = request_for("run");
  request.height = request.width = 512;
  const double for_smaller = 0.8 * taken_by(request);
  const std::string too_large = rejection(request, for_smaller);
  CAPTURE(too_large);
  REQUIRE(std::regex_search(too_large, found, std::regex(" are free; (\\d+) × (\\d+) px would fit$")));
  request.height = std::stoi(found[1]), request.width = std::stoi(found[2]);
  CHECK(*request.height >= 256);
  CHECK(rejection(request, for_smaller).empty());

  CHECK(rejection(request, 1000)
            .find("; smaller images would not fit either; ranks with more memory, or more "
                  "ranks with a memory each, are needed") != std::string::npos);
}

TEST_CASE("ranks that share a memory are rejected together, by what all of them take") {
  const ImageRequest request = request_for("run");
  const double alone = taken_by(request);
  weft::launch(2, [&request, alone](weft::threads::World& world) {
    const Limited limited(alone);
    weft::Pipeline<CountedModel, weft::Ulysses<>> pipeline(counted_models(), {.ulysses = 2}, world);
    CHECK_THROWS_WITH_AS(static_cast<void>(pipeline.generate(request)),
                         Contains(" of memory for 2 ranks beside"), weft::InvalidArgument);
  });
}

TEST_CASE("ranks of slices encode by slices too, in the memory that is planned") {
  ImageRequest request = request_for("run");
  request.height = request.width = 64;
  const weft::Mesh mesh{.tensor = 2};
  // Returns what both ranks take of the memory that they share, with so many bytes free beside the weights.
  const auto taken_with = [&request, &mesh](double free) {
    std::array<Index, 2> taken{};
    weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      const weft::PipelineModels<CountedModel> models(counted_golden.model(),
                                                      {.slice = weft::slice_of_rank(mesh, world.rank())});
      const Index before = HeldBytes::peak = HeldBytes::now;
      const Limited limited(free);
      weft::Pipeline<CountedModel, weft::TensorParallel<>> pipeline(models, mesh, world);
      for (int i = 0; i < 2; ++i) static_cast<void>(pipeline.generate(request));
      taken[static_cast<std::size_t>(world.rank())] = HeldBytes::peak - before;
    });
    return static_cast<double>(taken[0] + taken[1]);
  };
  const double taken = taken_with(1e9);
  CHECK(taken_with(1.02 * taken) == taken);
  CHECK_THROWS_AS(static_cast<void>(taken_with(0.98 * taken)), weft::InvalidArgument);
}

TEST_CASE("weights that a memory does not hold are rejected before they are read, with stages that fit") {
  static_cast<void>(counted_models());
  const Index weights = counted_models().autoencoder().weight_bytes() + [] {
    Index sum = 0;
    for (const auto& section : counted_models().transformer().weight_memory().sections) sum += section.size();
    return sum;
  }();
  {
    const Limited limited(1.01 * static_cast<double>(weights));
    CHECK_NOTHROW(weft::PipelineModels<CountedModel>(counted_golden.model()));
  }
  const Limited limited(0.8 * static_cast<double>(weights));
  CHECK_THROWS_WITH_AS(weft::PipelineModels<CountedModel>(counted_golden.model()),
                       Contains("are free; a stage of 3, whose blocks PipelineSettings names, would fit"),
                       weft::InvalidArgument);
  for (int stage = 0; stage < 3; ++stage)
    CHECK_NOTHROW(weft::PipelineModels<CountedModel>(
        counted_golden.model(),
        {.blocks = weft::pipeline_blocks(counted_models().transformer().shape(), 3, stage)}));
}
