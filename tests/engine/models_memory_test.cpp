// The memory of PixArt, SD3 and FLUX against the planned memory.
#include "held_memory.hpp"
#include "model_golden.hpp"

namespace {

/// Returns a request of a golden's loop on an image that is not square, whose prompts are alike.
template <class Model>
weft::Request<typename Model::Prompt> request_of(const ModelGolden<Model>& golden, const char* loop) {
  auto request = golden.request(loop);
  request.noise = {};
  request.height = 20, request.width = 24;
  for (auto& negative : request.negatives) negative = request.prompts.front();
  request.sampler.resize(2);
  return request;
}

template <template <class> class Model>
void compare(const char* name, const char* loop) {
  CAPTURE(name);
  const ModelGolden<Model<held::Backend>> golden(name);
  held::compare<Model>(golden.folder / "model/transformer", request_of(golden, loop));
}

}  // namespace

TEST_CASE("Planned memory is that of every rank: PixArt") {
  compare<weft::PixArt>("pixart_sigma", "ddim");
  compare<weft::PixArt>("pixart_alpha", "dpmpp");
}
TEST_CASE("Planned memory is that of every rank: SD3, whose text is among the tokens") {
  compare<weft::SD3>("sd3", "loop");
}
TEST_CASE("Planned memory is that of every rank: FLUX, without branches") {
  compare<weft::Flux>("flux", "loop");
}
