#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "command.hpp"

TEST_CASE("weft tokenize: ids and masks of all prompts, as I64, by the tokenizers' folders") {
  const TemporaryFolder folder;
  Arguments arguments{"tokenize", "--model", hunyuan / "model", "--out", folder / "ids.safetensors"};
  for (const auto& prompt : nlohmann::json::parse(std::ifstream(hunyuan / "prompts.json")))
    arguments = arguments + Arguments{"--prompt", prompt.at("prompt").get<std::string>()};
  const Outcome outcome = run(arguments);
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());

  const weft::SafeTensors given(folder / "ids.safetensors"),
      expected(hunyuan / "tokens_expected.safetensors");
  CHECK(given.entries().size() == 4);
  const std::pair<const char*, const char*> names[] = {{"tokenizer.ids", "bert_ids"},
                                                       {"tokenizer.mask", "bert_mask"},
                                                       {"tokenizer_2.ids", "t5_ids"},
                                                       {"tokenizer_2.mask", "t5_mask"}};
  for (const auto& [name, expected_name] : names) {
    const auto *tensor = given.find(name), *wanted = expected.find(expected_name);
    REQUIRE(tensor);
    CHECK(tensor->dtype == weft::Dtype::i64);
    CHECK(tensor->shape == wanted->shape);
    CHECK(std::ranges::equal(tensor->bytes, wanted->bytes));
  }
}

TEST_CASE("weft tokenize: --max-sequence-length is the length of T5's prompts") {
  const TemporaryFolder folder;
  const Outcome outcome = run({"tokenize", "--model", hunyuan / "model", "--prompt", "", "--prompt", "horse",
                               "--out", folder / "ids.safetensors", "--max-sequence-length", "9"});
  CHECK(outcome.code == 0);
  const weft::SafeTensors given(folder / "ids.safetensors");
  CHECK(given.find("tokenizer.ids")->shape == weft::Shape{2, 77});
  CHECK(given.find("tokenizer_2.ids")->shape == weft::Shape{2, 9});
}

TEST_CASE("weft tokenize: what cannot be tokenized is rejected in one sentence, before any file") {
  const std::string model = hunyuan / "model";
  check_rejected("tokenize", {"--model", model}, "--prompt is required");
  check_rejected("tokenize", {"--model", model, "--prompt", "a\xFF"}, "the prompt is not UTF-8 at byte 1");
  check_rejected("tokenize", {"--model", model, "--prompt", std::string(70000, 'a')},
                 "the prompt has 70000 bytes");
  check_rejected("tokenize", {"--model", model, "--prompt", "a", "--max-sequence-length", "1"},
                 "1 is not a whole number from 2");
  check_rejected("tokenize", {"--model", goldens / "v12" / "model", "--prompt", "a"},
                 "has no folder tokenizer/");
  check_rejected("tokenize",
                 {"--model", goldens / "clip_text" / "model", "--prompt", "a", "--max-sequence-length", "9"},
                 "has no T5");
  check_rejected("tokenize", {"--model", goldens / "t5_tokenizer", "--prompt", "a"},
                 "set max_sequence_length");
  check_rejected("tokenize", {"--model", model, "--prompt", "a", "--steps", "3"},
                 "--steps 3 were not expected");
}
