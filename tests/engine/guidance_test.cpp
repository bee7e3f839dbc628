// Guidance of every kind, with the branches of a step shared by ranks in any way.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "toy.hpp"
#include "weft/model/joint/prompt.hpp"

using weft::Index;
using weft::Mesh;
using weft::Request;
using weft::Step;
using weft::Tensor;
using weft::View;

namespace {

/// Guidance from outside of the library: InstructPix2Pix's three branches, and none in the first steps.
struct LateGuidance {
  static constexpr std::string_view name = "late";
  int image = 0, empty = 0;
  float image_scale = 1.5f, text_scale = 4;
  Index first_step = 0;

  void check(std::span<const int> prompts) const {
    if (prompts.size() > 2) weft::reject("there are ", prompts.size(), " prompts and may be 2");
  }
  static constexpr Index branches() { return 3; }
  int prompt(Index branch, std::span<const int> prompts, Index i) const {
    return branch == 0 ? empty : branch == 1 ? image : prompts[static_cast<std::size_t>(i)];
  }
  std::vector<float> scales(Index step) const {
    if (step < first_step) return {0, 0, 1};
    return {1 - image_scale, image_scale - text_scale, text_scale};
  }
  static void combine(auto& queue, const View<float, 3>& predictions, const View<const float, 2>& scales,
                      Step step, const View<float, 3>& out) {
    weigh(queue, predictions, scales, step, out);
  }
};

/// Guidance that changes the prompts which the model gets.
struct Telling : weft::NoGuidance {
  static constexpr std::string_view name = "telling";
  int told;

  explicit Telling(int prompt) : told(prompt) {}
  void tell(int& prompt) const { prompt = told; }
};

static_assert(weft::Guidance<LateGuidance, int, weft::Host::Queue>);
static_assert(weft::Guidance<weft::NoGuidance, int, weft::Host::Queue>);
static_assert(weft::Guidance<weft::ClassifierFree<int>, int, weft::Host::Queue>);
static_assert(weft::Guidance<weft::WeightedGuidance<int>, int, weft::Host::Queue>);
static_assert(weft::Guidance<weft::EmbeddedGuidance, weft::JointPrompt, weft::Host::Queue>);
static_assert(!weft::Guidance<int, int, weft::Host::Queue>);

Request<int> plain_request() {
  Request<int> request = toy_request(3);
  request.prompts = {3, 5};
  request.negatives.clear();
  return request;
}

template <class G>
Tensor guided(const Mesh& mesh, const Request<int>& request, const G& guidance) {
  const Toy model;
  Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    Tensor images = weft::Engine<Toy, Full>(model, mesh, world).generate(request, guidance);
    if (world.rank() == 0) result = std::move(images);
  });
  return result;
}

template <class G>
std::string rejection(const Mesh& mesh, const Request<int>& request, const G& guidance) {
  try {
    weft::Engine<Toy, Full>::check(Toy{}, mesh, request, guidance);
  } catch (const weft::InvalidArgument& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("Three branches on any mesh are those of one rank, with 1, 2 and 3 ranks along cfg") {
  for (const float rescale : {0.0f, 0.5f}) {
    Request<int> request = plain_request();
    request.guidance_rescale = rescale;
    const auto guidance = weft::image_and_text_guidance<int>({1, 1}, {2, 9}, 1.5f, 4);
    const Tensor one = guided({}, request, guidance);
    REQUIRE(std::isfinite(one.data.front()));
    for (const Mesh& mesh : std::vector<Mesh>{{.cfg = 2},
                                              {.cfg = 3},
                                              {.data = 2, .cfg = 3},
                                              {.cfg = 2, .ulysses = 2},
                                              {.cfg = 3, .ring = 2},
                                              {.cfg = 2, .pipe = 2, .warmup = 3},
                                              {.cfg = 3, .pipe = 2, .patches = 3, .warmup = 3}}) {
      CAPTURE(name_of(mesh));
      CHECK(largest_difference(guided(mesh, request, guidance), one) < 2e-5);
    }
  }
}

TEST_CASE("Weighted guidance of two branches is classifier-free guidance, and of one is none") {
  Request<int> request = plain_request();
  const Tensor none = guided({}, request, weft::NoGuidance{});
  CHECK(guided({}, request, weft::WeightedGuidance<int>{}).data == none.data);
  CHECK(toy_result(Toy{}, {}, request).data == none.data);

  const Tensor weighted = guided({}, request, weft::WeightedGuidance<int>{{{{4, 6}, -2}}, 3});
  request.negatives = {4, 6};
  request.guidance = 3;
  const Tensor free = toy_result(Toy{}, {}, request);
  CHECK(largest_difference(weighted, free) < 2e-5);
  CHECK(largest_difference(weighted, none) > 1e-3);
}

TEST_CASE("A guidance from outside of the library has prompts, scales and branches of its own") {
  const Request<int> request = plain_request();
  const LateGuidance late{.image = 2, .empty = 1};
  const Tensor always = guided({}, request, weft::image_and_text_guidance<int>({1, 1}, {2, 2}, 1.5f, 4));
  CHECK(guided({}, request, late).data == always.data);
  CHECK(largest_difference(guided({.cfg = 3}, request, late), always) < 2e-5);

  LateGuidance later = late, never = late;
  later.first_step = 1, never.first_step = 3;
  CHECK(largest_difference(guided({}, request, later), always) > 1e-4);
  CHECK(largest_difference(guided({}, request, never), guided({}, request, weft::NoGuidance{})) < 2e-5);
}

TEST_CASE("Requests of one engine may have different guidance, and the same kind with other scales") {
  const Toy model;
  const Request<int> request = plain_request();
  Request<int> free = request;
  free.negatives = {4, 6};
  const auto edits = [](float scale) {
    return weft::image_and_text_guidance<int>({1, 1}, {2, 9}, 1.5f, scale);
  };
  weft::launch(2, [&](weft::threads::World& world) {
    const Mesh mesh{.cfg = 2};
    weft::Engine<Toy, Full> engine(model, mesh, world);
    const auto same = [&world](const Tensor& own, const Tensor& expected) {
      if (world.rank() == 0 && own.data != expected.data) throw std::runtime_error("the images differ");
    };
    const Tensor first = guided(mesh, request, edits(4)), second = guided(mesh, request, edits(2)),
                 third = toy_result(model, mesh, free);
    same(engine.generate(request, edits(4)), first);
    same(engine.generate(request, edits(2)), second);
    same(engine.generate(free), third);
    same(engine.generate(request, LateGuidance{.image = 2, .empty = 1}),
         guided(mesh, request, LateGuidance{.image = 2, .empty = 1}));
    same(engine.generate(request, edits(4)), first);
  });
}

TEST_CASE("Guidance that does not fit is rejected") {
  const Request<int> request = plain_request();
  const auto three = weft::image_and_text_guidance<int>({1, 1}, {2, 9}, 1.5f, 4);
  CHECK(says(rejection({.cfg = 4}, request, three),
             "the mesh has cfg 4, and there are 3 guidance branches; use cfg 3 or fewer"));
  CHECK(says(rejection({}, request, weft::image_and_text_guidance<int>({1}, {2, 9}, 1.5f, 4)),
             "the request has 2 prompts and a branch of guidance 1; give one for each"));
  CHECK(says(rejection({}, request, weft::image_and_text_guidance<int>({1, 1}, {2, 9}, NAN, 4)),
             "a branch of guidance has the weight nan and must have a finite one, such as 1"));
  CHECK(says(rejection({}, request, weft::image_and_text_guidance<int>({1, -1}, {2, 9}, 2, 4)),
             "a prompt is -1 and must be from 0"));
  Request<int> other = request;
  other.negatives = {1, 1};
  CHECK(says(rejection({}, other, three),
             "the request has guidance 5 and 2 negative prompts, which weighted guidance does not read"));
  other.negatives.clear();
  other.guidance = 4;
  CHECK(says(rejection({}, other, three), "which weighted guidance does not read; leave them out"));
  other = request;
  other.guidance_rescale = 0.5f;
  CHECK(says(rejection({}, other, weft::NoGuidance{}),
             "guidance rescale is 0.5, and none guidance has one branch and nothing to rescale"));
}

TEST_CASE("Prompts of all branches are checked, each once") {
  static std::vector<int> checked;
  struct Asking : Toy {
    void check(Prompt prompt) const { checked.push_back(prompt); }
  };
  Request<int> request = plain_request();
  request.negatives = {4, 6};
  weft::Engine<Asking>::check(Asking{}, {}, request);
  CHECK(checked == std::vector{4, 6, 3, 5});
  checked.clear();
  weft::Engine<Asking>::check(Asking{}, {}, plain_request(), LateGuidance{.image = 2, .empty = 1});
  CHECK(checked == std::vector{1, 1, 2, 2, 3, 5});
}

TEST_CASE("What guidance tells the model of prompts is told the engine's own copies") {
  const Request<int> request = plain_request();
  Request<int> told = request;
  told.prompts = {7, 7};
  CHECK(guided({}, request, Telling(7)).data == guided({}, told, weft::NoGuidance{}).data);
  CHECK(request.prompts == std::vector{3, 5});
}

TEST_CASE("Embedded guidance tells the model its scale, and evaluates one branch") {
  const weft::JointPrompt prompt;
  const std::vector<weft::JointPrompt> prompts{prompt, prompt};
  const weft::EmbeddedGuidance guidance(2.5f);
  CHECK(guidance.branches() == 1);
  weft::JointPrompt told = guidance.prompt(0, std::span(prompts), 1);
  guidance.tell(told);
  CHECK(told.guidance == 2.5f);
  CHECK(guidance.scales(0) == std::vector{2.5f});  // by which ranks compare it
  CHECK_THROWS_WITH_AS(weft::EmbeddedGuidance(NAN).check(std::span(prompts)),
                       "guidance is nan and must be a finite number; 3.5 is usual", weft::InvalidArgument);
}

TEST_CASE("Ranks with different guidance, or other scales, end with the same sentence") {
  const Toy model;
  const auto sentence_of = [&model](auto first, auto other) {
    std::string said;
    weft::launch(2, [&](weft::threads::World& world) {
      weft::Engine<Toy, Full> engine(model, {.cfg = 2}, world);
      try {
        if (world.rank() == 0) {
          engine.generate(plain_request(), first);
        } else {
          engine.generate(plain_request(), other);
        }
      } catch (const weft::InvalidArgument& error) {
        if (world.rank() == 0) said = error.what();
      }
    });
    return said;
  };
  const auto three = weft::image_and_text_guidance<int>({1, 1}, {2, 9}, 1.5f, 4);
  CHECK(says(sentence_of(three, weft::image_and_text_guidance<int>({1, 1}, {2, 9}, 1.5f, 3)),
             "rank 1 was asked for another scale of guidance than rank 0"));
  CHECK(says(sentence_of(three, LateGuidance{}), "rank 1 was asked for"));
}
