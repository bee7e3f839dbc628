#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "command.hpp"

namespace {

const std::filesystem::path clip = goldens / "clip_text";

/// Returns the line that encodes all prompts of a golden.
Arguments encode(const std::filesystem::path& golden, const std::string& out) {
  Arguments line{"encode", "--model", golden / "model", "--out", out};
  for (const auto& prompt : nlohmann::json::parse(std::ifstream(golden / "prompts.json")))
    line = line + Arguments{"--prompt", prompt.at("prompt").get<std::string>()};
  return line;
}

}  // namespace

TEST_CASE("weft encode: BERT's and T5's states and masks of all prompts, by the encoders' folders") {
  const TemporaryFolder folder;
  const Outcome outcome = run(encode(hunyuan, folder / "states.safetensors"));
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  const weft::SafeTensors given(folder / "states.safetensors"),
      tokens(hunyuan / "tokens_expected.safetensors"), states(hunyuan / "encoders_expected.safetensors");
  CHECK(given.entries().size() == 4);
  CHECK(relative_error(given.tensor("text_encoder.last_hidden_state"),
                       states.tensor("bert.last_hidden_state")) < 1e-5);
  CHECK(relative_error(given.tensor("text_encoder_2.last_hidden_state"),
                       states.tensor("t5.last_hidden_state")) < 1e-5);
  for (const auto& [name, expected] :
       {std::pair{"text_encoder.mask", "bert_mask"}, std::pair{"text_encoder_2.mask", "t5_mask"}}) {
    REQUIRE(given.find(name));
    CHECK(given.find(name)->dtype == weft::Dtype::i64);
    CHECK(given.find(name)->shape == tokens.find(expected)->shape);
    CHECK(std::ranges::equal(given.find(name)->bytes, tokens.find(expected)->bytes));
  }
}

TEST_CASE("weft encode: CLIP's pooled outputs, and its states before the last layer") {
  const TemporaryFolder folder;
  const Outcome outcome = run(encode(clip, folder / "states.safetensors"));
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  const weft::SafeTensors given(folder / "states.safetensors"), wanted(clip / "expected.safetensors");
  CHECK(given.entries().size() == 8);
  CHECK(given.tensor("text_encoder.last_hidden_state").shape == weft::Shape{14, 77, 8});
  for (const std::string number : {"", "_2"}) {
    const std::string encoder = "text_encoder" + number;
    CHECK(relative_error(given.tensor(encoder + ".penultimate_hidden_state"),
                         wanted.tensor("penultimate" + number)) < 1e-5);
    CHECK(relative_error(given.tensor(encoder + ".pooled"), wanted.tensor("pooled" + number)) < 1e-5);
  }
}

TEST_CASE("weft encode: what cannot be encoded is rejected in one sentence, before any file") {
  const std::string model = hunyuan / "model";
  check_rejected("encode", {"--model", model}, "--prompt is required");
  check_rejected("encode", {"--model", model, "--prompt", "a\xFF"}, "the prompt is not UTF-8 at byte 1");
  check_rejected("encode", {"--model", goldens / "v12" / "model", "--prompt", "a"},
                 "has no folder tokenizer/");
  check_rejected("encode",
                 {"--model", goldens / "t5_tokenizer", "--prompt", "a", "--max-sequence-length", "9"},
                 "has tokenizer/ and no text_encoder/, which encodes its tokens");
  check_rejected("encode", {"--model", model, "--prompt", "a", "--max-sequence-length", "20000"},
                 "reads 1 to 16384");
  check_rejected("encode", {"--model", model, "--prompt", "a", "--dtype", "bf16"},
                 "the host computes in fp32 alone");
}
