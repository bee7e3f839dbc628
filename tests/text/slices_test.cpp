// Encoders whose layers' matrices are in slices on several ranks.
#include <doctest/doctest.h>

#include <string>
#include <vector>

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

const std::filesystem::path hunyuan = goldens / "hunyuan_pipeline" / "model",
                            clip = goldens / "clip_text" / "model";

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
  const auto check = [](const weft::Tensor& a, const weft::Tensor& b) {
    REQUIRE(a.size() == b.size());
    check_row({{a.size()}, a.data}, {{1, b.size()}, b.data}, 0, 1e-6);
  };
  check(is.states, wanted.states);
  check(is.penultimate, wanted.penultimate);
  check(is.pooled, wanted.pooled);
  CHECK(is.mask == wanted.mask);
}

}  // namespace

TEST_CASE(
    "TextEncoder: slices of BERT, T5 and both of CLIP make what the whole makes, the same on all ranks") {
  for (const EncoderGolden& golden : encoder_goldens()) {
    CAPTURE(golden.folder.string());
    weft::text::TokenIds tokens{.ids = whole_row(golden.ids, 0), .mask = {}};
    tokens.mask =
        golden.mask.empty() ? std::vector<weft::text::Id>(tokens.ids.size(), 1) : whole_row(golden.mask, 0);
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

TEST_CASE("TextEncoder: a slice has its part of the matrices, and all of what is no matrix of a layer") {
  for (const EncoderGolden& golden : encoder_goldens()) {
    CAPTURE(golden.folder.string());
    const auto folder = std::make_shared<const weft::text::EncoderFolder>(golden.folder);
    const Index whole = Encoder(folder).weight_bytes();
    const Index empty = Encoder(folder, {0, 1000}).weight_bytes();
    for (const int slices : {2, 3, 5}) {
      Index sum = 0;
      for (int slice = 0; slice < slices; ++slice)
        sum += Encoder(folder, {slice, slices}).weight_bytes() - empty;
      MESSAGE(whole, " ", empty, " ", slices, " ", sum);
    }
  }
}
