// Models whose text goes through the blocks: every mesh equals one rank.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "joint_toy.hpp"
#include "weft/comm/solo.hpp"

namespace {

using weft::Index, weft::Mesh, weft::Tensor;

Tensor text(Index tokens, std::uint64_t number) {
  Tensor out({tokens, JointToy::text_width});
  for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = weft::normal(number, 5, i);
  return out;
}

weft::Request<Tensor> request(Index tokens, Index height, Index width, int prompts = 1) {
  weft::Request<Tensor> out;
  out.height = height, out.width = width, out.sampler = toy_sampler(3);
  for (int p = 0; p < prompts; ++p) {
    out.prompts.push_back(text(tokens, static_cast<std::uint64_t>(2 * p)));
    out.negatives.push_back(text(tokens, static_cast<std::uint64_t>(2 * p + 1)));
  }
  return out;
}

template <class Model>
Tensor result(const Model& model, const Mesh& mesh, const weft::Request<Tensor>& request) {
  Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    Tensor images = weft::Engine<Model, Full>(model, mesh, world).generate(request);
    if (world.rank() == 0) result = std::move(images);
  });
  return result;
}

/// A mesh of at most 8 ranks that fits the request, all of whose steps warm up.
Mesh random_mesh(std::mt19937& numbers, Index tokens, int prompts, int stages) {
  const auto up_to = [&numbers](Index most) {
    return static_cast<int>(std::uniform_int_distribution<Index>(1, most)(numbers));
  };
  while (true) {
    Mesh mesh{.data = up_to(prompts),
              .cfg = up_to(2),
              .pipe = up_to(stages),
              .ulysses = up_to(3),
              .ring = up_to(3)};
    mesh.patches = mesh.pipe + up_to(4) - 1;
    if (mesh.patches > 1) mesh.warmup = 3;
    if (mesh.ring > 1) mesh.ring_cache = up_to(2) == 1 ? weft::RingCache::rotate : weft::RingCache::copy;
    if (mesh.ranks() <= 8 && mesh.patches <= tokens && (mesh.patches == 1 || mesh.copies_ring_cache()))
      return mesh;
  }
}

/// Notes where the numbers of its prompts are.
struct NotingToy : JointToy {
  mutable std::vector<const float*> memory;

  Conditioning condition(Queue& queue, std::span<const Prompt> prompts, const Tensor& times,
                         const weft::Share& share) const {
    for (const Prompt& prompt : prompts) memory.push_back(prompt.data.data());
    return JointToy::condition(queue, prompts, times, share);
  }
};

}  // namespace

TEST_CASE("joint attention: random meshes equal one rank, whatever the text's length") {
  std::mt19937 numbers(1);
  const JointToy model;
  for (int trial = 0; trial < 40; ++trial) {
    const Index tokens = std::uniform_int_distribution<Index>(0, 19)(numbers);
    const Index height = 2 * std::uniform_int_distribution<Index>(1, 6)(numbers), width = 10;
    const int prompts = 1 + trial % 2;
    auto asked = request(tokens, height, width, prompts);
    asked.guidance_rescale = trial % 3 == 0 ? 0.5f : 0;
    const Mesh mesh = random_mesh(numbers, tokens + height * width / 4, prompts, 5);
    INFO("mesh ", name_of(mesh), ", ", tokens, " tokens of text, ", height, " × ", width);
    CHECK(largest_difference(result(model, mesh, asked), result(model, {}, asked)) < 1e-4);
  }
}

TEST_CASE("joint attention: what is stale depends on patches, and not on stages") {
  const JointToy model;
  const auto asked = request(7, 8, 12);
  const Tensor one = result(model, {.patches = 5, .warmup = 1}, asked);
  CHECK(largest_difference(one, result(model, {}, asked)) > 1e-2);
  for (int stages : {2, 3, 5})
    CHECK(largest_difference(result(model, {.pipe = stages, .patches = 5, .warmup = 1}, asked), one) < 1e-4);
}

TEST_CASE("joint attention: text and image decide each other") {
  const JointToy model;
  const auto asked = request(7, 8, 12);
  auto other = asked;
  other.prompts = {text(7, 99)};
  CHECK(largest_difference(result(model, {}, asked), result(model, {}, other)) > 1e-3);
}

TEST_CASE("joint attention: prompts of one request have one length") {
  auto asked = request(7, 8, 12);
  asked.negatives = {text(6, 1)};
  CHECK_THROWS_WITH_AS(
      result(JointToy{}, {}, asked),
      "a prompt has 6 tokens and the first one 7; pad all prompts of a request to one length",
      weft::InvalidArgument);
}

TEST_CASE("joint attention: padded prompts of any lengths generate what each does alone, on any mesh") {
  std::mt19937 numbers(2);
  const JointToy plain;
  const PaddedJointToy model;
  for (int trial = 0; trial < 24; ++trial) {
    const Index tokens = std::uniform_int_distribution<Index>(1, 17)(numbers), height = 8, width = 10;
    const int prompts = 1 + trial % 3;
    auto padded = request(tokens, height, width, prompts);
    padded.step_noise = Tensor({3, prompts, 1, height, width});  // none, as it differs by image
    std::vector<Tensor> alone;
    for (int p = 0; p < prompts; ++p) {
      weft::Request<Tensor> own = padded;
      own.prompts = {padded.prompts[static_cast<std::size_t>(p)]};
      own.negatives = {padded.negatives[static_cast<std::size_t>(p)]};
      own.noise = Tensor({1, 1, height, width});
      own.step_noise = Tensor({3, 1, 1, height, width});
      for (std::size_t i = 0; i < own.noise.data.size(); ++i)
        own.noise.data[i] = weft::normal(static_cast<std::uint64_t>(p), 6, i);
      const Index valid = std::uniform_int_distribution<Index>(0, tokens)(numbers);
      for (std::vector<Tensor>* all : {&padded.prompts, &padded.negatives}) {
        Tensor& whole = (*all)[static_cast<std::size_t>(p)];
        for (Index t = valid; t < tokens; ++t) whole.view<2>()[t][0] = PaddedJointToy::padding;
      }
      for (std::vector<Tensor>* all : {&own.prompts, &own.negatives}) {
        Tensor& whole = all->front();
        whole.shape[0] = valid;
        whole.data.resize(static_cast<std::size_t>(valid * JointToy::text_width));
      }
      alone.push_back(result(plain, {}, own));
      padded.noise.shape = {prompts, 1, height, width};
      padded.noise.data.insert(padded.noise.data.end(), own.noise.data.begin(), own.noise.data.end());
    }
    const Mesh mesh = random_mesh(numbers, tokens + height * width / 4, prompts, 5);
    INFO("mesh ", name_of(mesh), ", ", tokens, " tokens of text, ", prompts, " prompts");
    const Tensor together = result(model, mesh, padded);
    for (int p = 0; p < prompts; ++p) {
      Tensor own({1, 1, height, width});
      std::copy_n(together.data.begin() + p * height * width, height * width, own.data.begin());
      CHECK(largest_difference(own, alone[static_cast<std::size_t>(p)]) < 1e-4);
    }
  }
}

TEST_CASE("joint attention: an engine hides each request's own padding") {
  const PaddedJointToy model;
  auto first = request(9, 8, 10), second = first;
  first.prompts[0].view<2>()[4][0] = PaddedJointToy::padding;
  second.prompts[0].view<2>()[7][0] = PaddedJointToy::padding;
  weft::launch(1, [&](weft::threads::World& world) {
    weft::Engine<PaddedJointToy> engine(model, {}, world);
    for (const auto* asked : {&first, &second})
      CHECK(engine.generate(*asked).data == result(model, {}, *asked).data);
  });
}

TEST_CASE("joint attention: a prompt has no more valid tokens than tokens") {
  struct Boastful : JointToy {
    Index valid_prefix(const Prompt& prompt) const { return prompt.shape[0] + 1; }
  };
  CHECK_THROWS_WITH_AS(result(Boastful{}, {}, request(7, 8, 12)),
                       "a prompt has 8 valid tokens of 7; give 0 to 7", weft::InvalidArgument);
}

TEST_CASE("skips from anywhere: meshes whose stages hold both ends equal one rank; others are rejected") {
  JointToy model;
  model.numbers.blocks = 7;
  model.numbers.differing.assign(7, {});
  model.numbers.differing[1].skip_from = 0;
  model.numbers.differing[6].skip_from = 4;
  model.numbers.differing[5].skip_from = 4;
  const auto asked = request(5, 8, 12);
  const Tensor one = result(model, {}, asked);
  CHECK(largest_difference(result(model, {.pipe = 2, .ulysses = 2, .patches = 3, .warmup = 3}, asked), one) <
        1e-4);
  CHECK_THROWS_WITH_AS(result(model, {.pipe = 4, .patches = 4, .warmup = 3}, asked),
                       "the mesh has pipe 4, and of so many stages one would read what a block of another "
                       "has put out; use pipe 3",
                       weft::InvalidArgument);
}

TEST_CASE("U-ViT: an odd number of folded blocks, text among the tokens") {
  JointToy model;
  model.numbers.differing.clear();
  model.numbers.placement = weft::Placement::folded;
  model.numbers.blocks = 7;
  const auto asked = request(5, 8, 12);
  const Tensor one = result(model, {}, asked);
  for (int stages : {2, 3})
    CHECK(largest_difference(result(model, {.pipe = stages, .ring = 2, .patches = 4, .warmup = 3}, asked),
                             one) < 1e-4);
}

TEST_CASE("a block that asks for attention more often than it says is an error") {
  JointToy model;
  model.numbers.differing[0].attentions = 2;
  model.numbers.differing[1].attentions = 0;
  CHECK_THROWS_WITH_AS(result(model, {}, request(5, 8, 12)),
                       "the block asks for attention more often than its BlockShape says", std::logic_error);
}

TEST_CASE("A request's prompts take the memory of those before, and change what they change") {
  const NotingToy model;
  weft::Solo<weft::Host::Queue> world;
  using Engine = weft::Engine<NotingToy, weft::Local, weft::Solo<weft::Host::Queue>>;
  Engine engine(model, {}, world);
  auto first = request(5, 4, 4, 2), second = request(5, 4, 4, 2);
  second.prompts.front() = text(5, 17);
  const Tensor before = engine.generate(first);
  const auto memory = std::exchange(model.memory, {});
  CHECK(memory.size() == 4);
  const Tensor changed = engine.generate(second);
  CHECK(model.memory == memory);
  CHECK(changed.data != before.data);
  CHECK(changed.data == Engine(model, {}, world).generate(second).data);
  first.prompts.pop_back(), first.negatives.pop_back();
  CHECK(engine.generate(first).data == Engine(model, {}, world).generate(first).data);
}
