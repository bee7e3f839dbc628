// Encoders whose layers' matrices are in slices on several ranks.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../relative_error.hpp"
#include "encoder_goldens.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/text/prompt_encoders.hpp"

namespace {

using weft::Index;
using weft::TensorSlice;
using weft::text::EncodedText;
using Encoder = weft::text::TextEncoder<weft::Host>;
using Encoders = weft::text::PromptEncoders<weft::Host>;

const std::filesystem::path hunyuan_model = goldens / "hunyuan_pipeline" / "model",
                            clip_model = goldens / "clip_text" / "model";

/// Returns what each of `ranks` ranks, of one thread each, gets of `make(world)`.
template <class Make>
auto on_each(int ranks, const Make& make) {
  std::vector<decltype(make(std::declval<weft::threads::World&>()))> out(static_cast<std::size_t>(ranks));
  weft::launch(ranks,
               [&out, &make](weft::threads::World& world) {
                 out[static_cast<std::size_t>(world.rank())] = make(world);
               },
               {.threads = ranks});
  return out;
}

void check_equal(const EncodedText& is, const EncodedText& wanted) {
  CHECK(is.states.data == wanted.states.data);
  CHECK(is.penultimate.data == wanted.penultimate.data);
  CHECK(is.pooled.data == wanted.pooled.data);
  CHECK(is.mask == wanted.mask);
}

void check_close(const EncodedText& is, const EncodedText& wanted) {
  CHECK(relative_error(is.states, wanted.states) <= 1e-6);
  CHECK(is.penultimate.shape == wanted.penultimate.shape);
  CHECK(is.pooled.shape == wanted.pooled.shape);
  if (!wanted.pooled.empty()) {
    CHECK(relative_error(is.penultimate, wanted.penultimate) <= 1e-6);
    CHECK(relative_error(is.pooled, wanted.pooled) <= 1e-6);
  }
  CHECK(is.mask == wanted.mask);
}

}  // namespace

TEST_CASE(
    "TextEncoder: slices of BERT, T5 and both of CLIP make what the whole makes, the same on all ranks") {
  for (const EncoderGolden& golden : encoder_goldens()) {
    CAPTURE(golden.folder.string());
    const weft::text::TokenIds tokens = golden.tokens(1);
    weft::host::Queue queue;
    const EncodedText whole = Encoder(golden.folder).encode(queue, tokens);
    for (const int slices : {2, 3, 5}) {  // of 2, 3 and 4 heads, so that some have none
      CAPTURE(slices);
      const auto texts = on_each(slices, [&golden, &tokens](weft::threads::World& world) {
        auto own = weft::Host::queue(world);
        auto group = world.split("encoders", weft::Mesh{.tensor = world.size()}.group(weft::Axis::tensor, 0));
        return Encoder(golden.folder, {group.rank(), group.size()}).encode(own, tokens, group);
      });
      check_close(texts.front(), whole);
      for (const EncodedText& text : texts) check_equal(text, texts.front());
    }
  }
}

TEST_CASE("TextEncoder: slices have the matrices once, and each what is no matrix of a layer") {
  for (const EncoderGolden& golden : encoder_goldens()) {
    CAPTURE(golden.folder.string());
    const auto folder = std::make_shared<const weft::text::EncoderFolder>(golden.folder);
    const auto bytes = [&folder](const TensorSlice& slice) { return Encoder(folder, slice).weight_bytes(); };
    const Index common = bytes({0, 1000}), matrices = bytes({}) - common;  // the first of so many is empty
    for (const int slices : {2, 3, 5}) {
      CAPTURE(slices);
      Index sum = 0;
      for (int slice = 0; slice < slices; ++slice) sum += bytes({slice, slices}) - common;
      const Index padding = 256 * 8 * folder->config().layers * slices;  // of a layer's matrices and biases
      CHECK(std::abs(sum - matrices) <= padding);
    }
    if (folder->config().heads % 2 == 0)
      CHECK(static_cast<double>(bytes({1, 2}) - common) ==
            doctest::Approx(0.5 * static_cast<double>(matrices)).epsilon(matrices > 100'000 ? 0.02 : 0.2));
  }
}

TEST_CASE("TextEncoder: a group in which this is another slice is rejected") {
  const Encoder first(hunyuan_model / "text_encoder", {0, 2});
  weft::host::Queue queue;
  CHECK_THROWS_WITH_AS(
      static_cast<void>(first.encode(queue, {.ids = {101, 102}, .mask = {1, 1}})),
      "slice 0 of 2 of a text encoder was given to rank 0 of 1; each rank of a group takes the "
      "slice of its number",
      weft::InvalidArgument);
}

TEST_CASE("PromptEncoders: groups of slices make what one rank makes, and all ranks get the same bits") {
  const std::vector<std::string> prompts{"a horse", "", "an astronaut", "a horse"};
  for (const auto& model : {hunyuan_model, clip_model}) {
    CAPTURE(model.string());
    const Encoders encoders(model);
    const auto encoded = [&encoders, &prompts](int ranks, int slices) {
      return on_each(ranks, [&encoders, &prompts, slices](weft::threads::World& world) {
        return encoders.encode(prompts, world, slices);
      });
    };
    const auto alone = encoded(1, 1).front();
    for (const auto& [ranks, slices] : {std::pair{2, 2}, {3, 3}, {4, 2}, {6, 3}}) {
      CAPTURE(ranks);
      CAPTURE(slices);
      const auto texts = encoded(ranks, slices);
      for (std::size_t i = 0; i < prompts.size(); ++i)
        for (const auto& [name, text] : alone[i]) {
          check_close(texts.front()[i].at(name), text);
          for (const auto& own : texts) check_equal(own[i].at(name), texts.front()[i].at(name));
        }
    }
  }
}

TEST_CASE("PromptEncoders: slices that do not divide the ranks, or differ, are rejected on all ranks") {
  const Encoders encoders(hunyuan_model);
  const std::vector<std::string> prompts{"a"};
  const auto rejects = [&encoders, &prompts](int ranks, int slices_of_last, int slices, const char* why) {
    CHECK_THROWS_WITH_AS(
        weft::launch(ranks,
                     [&](weft::threads::World& world) {
                       const bool is_last = world.rank() + 1 == world.size();
                       static_cast<void>(encoders.encode(prompts, world, is_last ? slices_of_last : slices));
                     }),
        why, weft::InvalidArgument);
  };
  rejects(3, 2, 2, "text encoders are to be cut into 2 slices, which must divide the 3 ranks; 1 would do");
  rejects(4, 6, 6, "text encoders are to be cut into 6 slices, which must divide the 4 ranks; 4 would do");
  rejects(2, 1, 2,
          "rank 1 was asked for slices 1 and rank 0 for slices 2; all ranks must be given the same request");
  CHECK_THROWS_WITH_AS(static_cast<void>(encoders.memory(prompts, 2, 0)),
                       "text encoders are to be cut into 0 slices, which must divide the 2 ranks; 1 would do",
                       weft::InvalidArgument);
}
