// A model of videos: its state is a grid of frames, and all else is as for images.
#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "toy.hpp"
#include "weft/core/noise.hpp"

using weft::Index;
using weft::Mesh;
using weft::Request;
using weft::Tensor;

namespace {

/// A video of (channels, frames, height, width) as tokens of `depth` × patch × patch elements. Tokens run
/// frame by frame, each row-major; features run (channel, frame, row, column) inside of the token.
struct VideoShape {
  static constexpr std::string_view dimensions = "channels, frames, height, width";

  Index channels = 0, frames = 0, height = 0, width = 0;
  Index depth = 1, patch = 1;

  WEFT_HOST_DEVICE constexpr Index rows() const { return height / patch; }
  WEFT_HOST_DEVICE constexpr Index columns() const { return width / patch; }
  constexpr Index tokens() const { return frames / depth * rows() * columns(); }
  constexpr Index features() const { return channels * depth * patch * patch; }
  constexpr Index elements() const { return channels * frames * height * width; }
  constexpr std::array<Index, 4> extents() const { return {channels, frames, height, width}; }
  constexpr VideoShape with_channels(Index count) const {
    VideoShape out = *this;
    out.channels = count;
    return out;
  }

  WEFT_HOST_DEVICE constexpr Index element(Index video, Index t, Index f) const {
    const Index column = t % columns() * patch + f % patch;
    const Index row = t / columns() % rows() * patch + f / patch % patch;
    const Index frame = t / columns() / rows() * depth + f / (patch * patch) % depth;
    const Index channel = f / (patch * patch * depth);
    return (((video * channels + channel) * frames + frame) * height + row) * width + column;
  }

  friend constexpr bool operator==(const VideoShape&, const VideoShape&) = default;
};
static_assert(weft::Grid<VideoShape> && !weft::Grid<Mesh> && !weft::Grid<int>);

/// A model whose blocks are shifted by how many frames a video has.
struct VideoToy : Toy {
  static constexpr Index depth = 2;

  VideoToy() {
    in = layer(1, width, 4 * depth);
    out = layer(4, 4 * depth, width);
  }

  static VideoShape grid(const weft::Extent& extent) {
    if (extent.frames < depth || extent.frames % depth != 0)
      weft::reject("the state has ", extent.frames, " frames and must have a multiple of ", depth);
    return {1, extent.frames, extent.height, extent.width, depth, 2};
  }
  Tensor condition(Queue&, std::span<const int> prompts, const Tensor& times,
                   const weft::ShareOf<VideoShape>& share) const {
    Tensor shifts({times.shape[0], times.shape[1], width});
    const auto count = static_cast<std::size_t>(times.shape[1]);
    for (std::size_t i = 0; i < shifts.data.size(); ++i)
      shifts.data[i] = std::sin((times.data[i / width] + static_cast<float>(prompts[i / width % count]) +
                                 static_cast<float>(share.image.frames)) *
                                static_cast<float>(i % width + 1));
    return shifts;
  }
};
static_assert(weft::DiT<VideoToy> && weft::DiT<Toy>);

Request<int> video_request() {
  Request<int> request = toy_request(3);
  request.frames = 6;
  request.height = 6;
  request.width = 10;
  return request;
}

Tensor generated(const Mesh& mesh, const Request<int>& request) {
  const VideoToy model;
  Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    Tensor video = weft::Engine<VideoToy, Full>(model, mesh, world).generate(request);
    if (world.rank() == 0) result = std::move(video);
  });
  return result;
}

Tensor evaluated(const Mesh& mesh, const weft::Evaluation<int>& evaluation) {
  const VideoToy model;
  Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    Tensor video = weft::Engine<VideoToy, Full>(model, mesh, world).forward(evaluation);
    if (world.rank() == 0) result = std::move(video);
  });
  return result;
}

template <class Model, class Input>
std::string rejection(const Input& input) {
  try {
    weft::Engine<Model, Full>::check(Model{}, Mesh{}, input);
  } catch (const weft::InvalidArgument& error) {
    return error.what();
  }
  return "";
}

/// Meshes whose ranks share a video's tokens, heads, blocks and branches.
const std::vector<Mesh> meshes{{.ulysses = 2},
                               {.ring = 3},
                               {.ulysses = 2, .ring = 2},
                               {.pipe = 2, .warmup = 3},
                               {.cfg = 2, .ulysses = 2},
                               {.cfg = 2, .pipe = 2, .ring = 2, .patches = 5, .warmup = 3}};

}  // namespace

TEST_CASE("VideoShape: every element is one feature of one token") {
  constexpr VideoShape shape{3, 4, 6, 10, 2, 2};
  std::set<Index> elements;
  for (Index video = 0; video < 2; ++video)
    for (Index t = 0; t < shape.tokens(); ++t)
      for (Index f = 0; f < shape.features(); ++f) elements.insert(shape.element(video, t, f));
  CHECK(static_cast<Index>(elements.size()) == 2 * shape.elements());
  CHECK(*elements.rbegin() == 2 * shape.elements() - 1);
}

TEST_CASE("Videos on any mesh are those of one rank") {
  const Request<int> request = video_request();
  const Tensor one = generated({}, request);
  CHECK(one.shape == weft::Shape{1, 1, 6, 6, 10});
  CHECK(std::isfinite(one.data.front()));
  for (const Mesh& mesh : meshes) {
    CAPTURE(name_of(mesh));
    CHECK(largest_difference(generated(mesh, request), one) < 1e-4);
  }
}

TEST_CASE("A video's given noise takes the place of that drawn from the seed") {
  Request<int> request = video_request();
  const Tensor drawn = generated({}, request);
  request.noise = Tensor({1, 1, 6, 6, 10});
  for (std::size_t i = 0; i < request.noise.data.size(); ++i)
    request.noise.data[i] = weft::normal(request.seed, 0, i);
  CHECK(generated({}, request).data == drawn.data);
  std::swap(request.noise.data.front(), request.noise.data.back());
  CHECK(largest_difference(generated({}, request), drawn) > 1e-4);
}

TEST_CASE("An evaluation of videos on any mesh is that of one rank") {
  weft::Evaluation<int> evaluation{{3, 5}, Tensor({2, 1, 4, 6, 8}), Tensor({2})};
  for (std::size_t i = 0; i < evaluation.latents.data.size(); ++i)
    evaluation.latents.data[i] = weft::normal(7, 0, i);
  evaluation.times.data = {900, 100};
  const Tensor one = evaluated({}, evaluation);
  CHECK(one.shape == evaluation.latents.shape);
  for (const Mesh& mesh : meshes) CHECK(largest_difference(evaluated(mesh, evaluation), one) < 1e-4);
}

TEST_CASE("States of a shape that a model does not generate are rejected") {
  Request<int> request = video_request();
  CHECK(rejection<Toy>(request) == "the state has 6 frames, and the model generates images; use 1");
  request.frames = 3;
  CHECK(rejection<VideoToy>(request) == "the state has 3 frames and must have a multiple of 2");
  request.frames = 4;
  request.noise = Tensor({1, 1, 6, 10});
  CHECK(rejection<VideoToy>(request) == "the starting noise is (1, 1, 6, 10) and must be (1, 1, 4, 6, 10)");
  const weft::Evaluation<int> image{{3}, Tensor({1, 1, 6, 8}), Tensor({1})};
  CHECK(rejection<VideoToy>(image) ==
        "the latents are (1, 1, 6, 8) and must be (images, channels, frames, height, width)");
}
