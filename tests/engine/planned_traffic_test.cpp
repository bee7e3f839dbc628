// Bytes that ranks send on random meshes, against the planner's formulas: uneven tokens, text among them or
// not, images that are not square.
#include <doctest/doctest.h>

#include <random>

#include "host_model.hpp"
#include "model_golden.hpp"
#include "weft/plan.hpp"

namespace {

using weft::Index, weft::Mesh;
using weft::planner::SentBytes;

/// A number from 1 to `most`.
int up_to(std::mt19937& numbers, Index most) {
  return static_cast<int>(std::uniform_int_distribution<Index>(1, most)(numbers));
}

/// Returns a mesh of at most 8 ranks that can run the request.
Mesh random_mesh(std::mt19937& numbers, const weft::DitShape& shape, const weft::Demand& demand) {
  while (true) {
    Mesh mesh{.data = up_to(numbers, demand.prompts),
              .cfg = up_to(numbers, demand.branches),
              .pipe = up_to(numbers, 4),
              .ulysses = up_to(numbers, 3),
              .ring = up_to(numbers, 3),
              .tensor = up_to(numbers, 3)};
    mesh.patches = mesh.pipe + up_to(numbers, 4) - 1;
    if (mesh.patches > 1) mesh.warmup = up_to(numbers, 2);
    if (mesh.ring > 1)
      mesh.ring_cache = up_to(numbers, 2) == 1 ? weft::RingCache::rotate : weft::RingCache::copy;
    if (mesh.ranks() <= 8 && !weft::check<Full>(mesh, shape, demand, mesh.ranks())) return mesh;
  }
}

/// Returns what every rank sends in a request, as its communicators count it.
template <class Model>
std::vector<SentBytes> counted(const Slices<Model>& slices, const Mesh& mesh,
                               const weft::Request<typename Model::Prompt>& request) {
  std::vector<SentBytes> out(static_cast<std::size_t>(mesh.ranks()));
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Full>(slices.of_rank(mesh, world.rank()), mesh, world).generate(request);
    const auto bytes = [&world](const char* axis) {
      const auto at = world.traffic().find(axis);
      return at == world.traffic().end() ? 0 : at->second.bytes;
    };
    out[static_cast<std::size_t>(world.rank())] = {bytes("cfg"), bytes("pipe"), bytes("ulysses"),
                                                   bytes("ring"), bytes("tensor")};
  });
  return out;
}

/// Compares both on random meshes; `prompt(text)` has so many tokens of text.
template <template <class> class Model, class MakePrompt>
void compare(const Model<weft::Host>& model, const Slices<Model<weft::Host>>& slices,
             const MakePrompt& prompt, Index branches, int trials) {
  using Counted = weft::planner::CountedModel<Model<weft::Counting<float>>>;
  std::mt19937 numbers(1);
  constexpr Index steps = 4;
  for (int trial = 0; trial < trials; ++trial) {
    weft::Request<typename Model<weft::Host>::Prompt> request;
    const auto of_text = prompt(up_to(numbers, 19));
    const int prompts = up_to(numbers, 2);
    request.prompts.assign(static_cast<std::size_t>(prompts), of_text);
    if (branches > 1) request.negatives = request.prompts;
    request.height = 2 * up_to(numbers, 6), request.width = 10;
    request.sampler.assign(steps, {.timestep = 500, .alpha = 1, .sigma = 0.1f, .keep = 1});
    const Counted work(model.config(), of_text);
    const Index tokens = request.height / 2 * (request.width / 2);
    const Mesh mesh = random_mesh(numbers, model.shape(), {prompts, branches, work.prefix() + tokens, steps});
    const weft::planner::CostModel cost{&work,
                                        weft::planner::machine_named("host"),
                                        {.gpus = static_cast<int>(mesh.ranks()),
                                         .tokens = tokens,
                                         .prompts = prompts,
                                         .branches = branches,
                                         .steps = steps},
                                        {},
                                        mesh};
    INFO("mesh ", name_of(mesh), ", ", work.prefix(), " tokens of text, ", request.height, " × ",
         request.width);
    const std::vector<SentBytes> all = counted(slices, mesh, request);
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const SentBytes warm = sent_in_step(cost, rank, true), steady = sent_in_step(cost, rank);
      const auto in_all = [&mesh](Index first, Index later) {
        return mesh.warmup * first + (steps - mesh.warmup) * later;
      };
      CAPTURE(rank);
      const SentBytes& sent = all[static_cast<std::size_t>(rank)];
      CHECK(sent.cfg == in_all(warm.cfg, steady.cfg));
      CHECK(sent.pipe == in_all(warm.pipe, steady.pipe));
      CHECK(sent.ulysses == in_all(warm.ulysses, steady.ulysses));
      CHECK(sent.ring == in_all(warm.ring, steady.ring));
      CHECK(sent.tensor == in_all(warm.tensor, steady.tensor));
    }
  }
}

weft::JointPrompt joint_prompt(Index text, Index width, Index pooled) {
  return {.states = weft::Tensor({text, width}), .pooled = weft::Tensor({pooled})};
}

/// Checks what all ranks of each method send together against the formulas of the README's table, for blocks
/// of which `alone` have a further attention among the image and `pairs` sum over slices twice, others once;
/// the last may drop its text.
template <class Model>
void check_table(const Model& model, const Slices<Model>& slices, const weft::JointPrompt& prompt,
                 Index branches, Index alone, Index pairs, bool drops_text) {
  constexpr Index steps = 3, height = 16, width = 8, image = height * width / 4;
  weft::Request<weft::JointPrompt> request;
  request.prompts = {prompt};
  if (branches > 1) request.negatives = request.prompts;
  request.height = height, request.width = width;
  request.sampler.assign(steps, {.timestep = 500, .alpha = 1, .sigma = 0.1f, .keep = 1});

  const weft::DitShape shape = model.shape();
  const Index row = branches * shape.width * static_cast<Index>(sizeof(float));
  const Index sequence = (prompt.states.shape[0] + image) * row;         // A
  const Index attended = shape.blocks * sequence + alone * image * row;  // A · L
  const Index summed =                                                   // A · S
      (shape.blocks + pairs) * sequence - (drops_text ? 2 * prompt.states.shape[0] * row : 0);
  const Index prediction = image * shape.channels * shape.patch * shape.patch * 4;
  for (const int n : {2, 4}) {
    CAPTURE(n);
    const auto sent = [&slices, &request](const Mesh& mesh) {
      SentBytes all;
      for (const SentBytes& rank : counted(slices, mesh, request)) {
        all.cfg += rank.cfg;
        all.pipe += rank.pipe;
        all.ulysses += rank.ulysses;
        all.ring += rank.ring;
        all.tensor += rank.tensor;
      }
      return all;
    };
    CHECK(sent({.ulysses = n}) == SentBytes{.ulysses = steps * 4 * (n - 1) * attended / n});
    CHECK(sent({.ring = n}) == SentBytes{.ring = steps * 2 * (n - 1) * attended});
    CHECK(sent({.tensor = n}) == SentBytes{.tensor = steps * 2 * (n - 1) * summed});
    CHECK(sent({.pipe = n, .patches = n + 1}) ==
          SentBytes{.pipe = steps * ((n - 1) * sequence + branches * prediction)});
    if (n == branches) CHECK(sent({.cfg = n}) == SentBytes{.cfg = steps * n * (n - 1) * prediction});
  }
}

}  // namespace

TEST_CASE("Models whose text goes through the blocks send the bytes of the methods' formulas") {
  constexpr Index text = 8;
  const ModelGolden<weft::SD3<weft::Host>> sd3("sd3");
  const ModelGolden<weft::Flux<weft::Host>> flux("flux");
  const auto prompt = [](const auto& config) {
    return joint_prompt(text, config.text_width, config.pooled_width);
  };
  check_table(sd3.model, sd3.slices, prompt(sd3.model.config()), 2,
              static_cast<Index>(sd3.model.config().dual.size()), sd3.model.config().blocks, true);
  check_table(flux.model, flux.slices, prompt(flux.model.config()), 1, 0, flux.model.config().double_blocks,
              false);
}

TEST_CASE("Planned bytes are those that ranks send: HunyuanDiT, whose blocks are folded") {
  const HostGolden golden("v12");
  compare<weft::HunyuanDiT>(
      golden.model, golden.slices, [&golden](Index) { return golden.request("ddim").prompts.front(); }, 2,
      30);
}

TEST_CASE("Planned bytes are those that ranks send: SD3, with attention among the image alone") {
  const ModelGolden<weft::SD3<weft::Host>> golden("sd3");
  CHECK(!golden.model.config().dual.empty());
  const auto& config = golden.model.config();
  compare<weft::SD3>(
      golden.model, golden.slices,
      [&config](Index text) { return joint_prompt(text, config.text_width, config.pooled_width); }, 2, 40);
}

TEST_CASE("Planned bytes are those that ranks send: FLUX, without branches") {
  const ModelGolden<weft::Flux<weft::Host>> golden("flux");
  const auto& config = golden.model.config();
  compare<weft::Flux>(
      golden.model, golden.slices,
      [&config](Index text) { return joint_prompt(text, config.text_width, config.pooled_width); }, 1, 40);
}
