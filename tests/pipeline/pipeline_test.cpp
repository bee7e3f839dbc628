// Whole pipelines, from prompts to images, against diffusers.
#include "weft/pipeline.hpp"

#include <doctest/doctest.h>

#include <stop_token>
#include <vector>

#include "pipeline_golden.hpp"
#include "weft/backend/host.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/ulysses.hpp"

using doctest::Contains;
using weft::ImageRequest;
using weft::Index;
using weft::Mesh;
using weft::Tensor;

namespace {

const PipelineGolden small("hunyuan_pipeline");

using Model = weft::HunyuanDiT<weft::Host>;
using Parallel = weft::DataParallel<weft::CfgParallel<weft::PipeFusion<weft::Ulysses<weft::Ring<>>>>>;
using Pipeline = weft::Pipeline<Model, Parallel>;
using World = weft::threads::World;

const weft::PipelineModels<Model>& models() {
  static const weft::PipelineModels<Model> all(small.model());
  return all;
}

/// Returns what every rank of a new world gets, and checks that the others get nothing.
Tensor generated(const ImageRequest& request, const Mesh& mesh) {
  Tensor images;
  weft::launch(mesh.ranks(), [&](World& world) {
    Tensor own = Pipeline(models(), mesh, world).generate(request);
    CHECK(own.empty() == (world.rank() > 0));
    if (world.rank() == 0) images = std::move(own);
  });
  return images;
}

}  // namespace

TEST_CASE("prompts become the images that diffusers makes of them, on any mesh") {
  const ImageRequest one = small.request("run"), batch = small.request("run_batch");
  const Tensor image = small.image("run"), images = small.image("run_batch");
  for (const Mesh& mesh :
       {Mesh{}, {.cfg = 2, .ulysses = 2}, {.pipe = 2, .ring = 2, .patches = 3, .warmup = 6}})
    CHECK(relative_error(generated(one, mesh), image) < 1e-4);
  for (const Mesh& mesh : {Mesh{}, {.data = 2, .cfg = 2}})
    CHECK(relative_error(generated(batch, mesh), images) < 1e-4);
}

TEST_CASE("rank 0 alone hears how far reading, encoding, steps and decoding are, and of each to its end") {
  struct Heard {
    Index done = 0, all = 0, calls = 0;

    weft::Progress listener() {
      return [this](Index now, Index of) {
        CHECK(now >= done);
        CHECK((calls == 0 || of == all));
        done = now;
        all = of;
        ++calls;
      };
    }
    bool is_whole() const { return calls > 1 && done == all; }
  };

  Heard reading;
  const weft::PipelineModels<Model> read(
      small.model(), {.blocks = {{0, 1}}, .slice = {0, 2}, .reading = reading.listener()});
  CHECK(reading.is_whole());
  CHECK(reading.all == read.transformer().weight_memory().bytes.size());

  for (const Mesh& mesh : {Mesh{}, {.cfg = 2}, {.ulysses = 2, .ring = 2}}) {
    CAPTURE(weft::name_of(mesh));
    weft::launch(mesh.ranks(), [&](World& world) {
      Heard encoding, steps, decoding;
      ImageRequest request = small.request("run_batch");
      request.encoding = encoding.listener();
      request.progress = steps.listener();
      request.decoding = decoding.listener();
      static_cast<void>(Pipeline(models(), mesh, world).generate(request));
      for (const Heard* heard : {&encoding, &steps, &decoding}) {
        CHECK(heard->is_whole() == (world.rank() == 0));
        CHECK((heard->calls > 0) == (world.rank() == 0));
      }
    });
  }
}

TEST_CASE("what the mesh or the guidance does not allow is rejected before any text is encoded") {
  const Mesh mesh{.data = 2};
  weft::launch(mesh.ranks(), [&](World& world) {
    bool encodes = false;
    const auto rejects = [&](ImageRequest request, const char* text) {
      request.encoding = [&encodes](Index, Index) { encodes = true; };
      CHECK_THROWS_WITH_AS(static_cast<void>(Pipeline(models(), mesh, world).generate(request)),
                           Contains(text), weft::InvalidArgument);
    };
    ImageRequest request = small.request("run");
    rejects(request, "the mesh has data 2, and there is 1 prompt");
    request.guidance = 1;
    request.guidance_rescale = 0.5f;
    rejects(request, "guidance rescale is 0.5, and there is no guidance to rescale, with guidance 1; use");
    CHECK(!encodes);
  });
}

TEST_CASE("a pipeline is kept between requests, shows previews, and goes on after one is stopped") {
  const ImageRequest request = small.request("run");
  const Tensor image = small.image("run");
  const Mesh mesh{.cfg = 2};
  weft::launch(mesh.ranks(), [&](World& world) {
    Pipeline pipeline(models(), mesh, world);
    const auto check = [&](const ImageRequest& asked) {
      const Tensor own = pipeline.generate(asked);
      if (world.rank() == 0) CHECK(relative_error(own, image) < 1e-4);
    };
    check(request);
    Index last = 0;
    std::vector<Index> shown;
    std::stop_source stop;
    ImageRequest watched = request;
    watched.stop = stop.get_token();
    watched.preview_every = 2;
    watched.progress = [&last](Index done, Index steps) {
      CHECK(steps == 6);
      last = done;
    };
    watched.preview = [&shown](Index done, const Tensor& latents) {
      shown.push_back(done);
      CHECK(latents.shape == weft::Shape{1, 4, 16, 24});
    };
    check(watched);
    CHECK(shown == (world.rank() == 0 ? std::vector<Index>{2, 4} : std::vector<Index>{}));
    CHECK(last == (world.rank() == 0 ? 6 : 0));

    watched.progress = [&stop](Index done, Index) {
      if (done == 3) stop.request_stop();
    };
    CHECK_THROWS_WITH_AS(static_cast<void>(pipeline.generate(watched)), "cancelled after 3 of 6 steps",
                         weft::Cancelled);
    check(request);
  });
}

TEST_CASE("ranks with different prompts are rejected before any work, and may ask again") {
  const Mesh mesh{.ulysses = 2};
  weft::launch(mesh.ranks(), [&](World& world) {
    Pipeline pipeline(models(), mesh, world);
    ImageRequest request = small.request("run");
    request.steps = 1;
    request.step_noise = {};
    ImageRequest other = request;
    if (world.rank() == 1) other.prompts = {"something else"};
    CHECK_THROWS_WITH_AS(static_cast<void>(pipeline.generate(other)),
                         Contains("rank 1 was asked for another prompt 0 than rank 0"),
                         weft::InvalidArgument);
    CHECK(pipeline.generate(request).empty() == (world.rank() > 0));
  });
}
