#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "folders.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/text/prompt_tokenizers.hpp"

namespace {

nlohmann::json prompts_in(const std::string& golden) {
  return nlohmann::json::parse(std::ifstream(goldens / golden / "prompts.json"));
}

void check_ids(const std::string& golden, const std::string& folder, const std::string& key) {
  const auto tokenizer = weft::text::Tokenizer::read(goldens / golden / folder);
  for (const auto& prompt : prompts_in(golden)) {
    const auto text = prompt.at("prompt").get<std::string>();
    CAPTURE(text);
    CHECK(tokenizer.ids(text) == prompt.at(key).get<Ids>());
  }
}

/// Returns row `row` of a tensor (prompts, length) of whole numbers.
Ids row_of(const weft::SafeTensors& file, const std::string& name, weft::Index row) {
  const weft::Tensor tensor = file.tensor(name);
  const auto* const begin = tensor.data.data() + row * tensor.shape[1];
  return {begin, begin + tensor.shape[1]};
}

}  // namespace

TEST_CASE("Tokenizer: the ids of transformers, neither cut nor padded") {
  check_ids("hunyuan_pipeline", "model/tokenizer", "bert");
  check_ids("hunyuan_pipeline", "model/tokenizer_2", "t5");
  check_ids("t5_tokenizer", "tokenizer", "ids");
  check_ids("clip_text", "model/tokenizer", "ids");
}

TEST_CASE("PromptTokenizers: HunyuanDiT's ids and masks, cut and padded") {
  const weft::text::PromptTokenizers tokenizers(goldens / "hunyuan_pipeline" / "model");
  const weft::SafeTensors expected(goldens / "hunyuan_pipeline" / "tokens_expected.safetensors");
  weft::Index row = 0;
  for (const auto& prompt : prompts_in("hunyuan_pipeline")) {
    const auto tokens = tokenizers.encode(prompt.at("prompt").get<std::string>());
    CHECK(tokens.size() == 2);
    CHECK(tokens.at("tokenizer").ids == row_of(expected, "bert_ids", row));
    CHECK(tokens.at("tokenizer").mask == row_of(expected, "bert_mask", row));
    CHECK(tokens.at("tokenizer_2").ids == row_of(expected, "t5_ids", row));
    CHECK(tokens.at("tokenizer_2").mask == row_of(expected, "t5_mask", row));
    ++row;
  }
}

TEST_CASE("PromptTokenizers: both of CLIP's ids, the second with the vocabulary of the first and padding 0") {
  const weft::text::PromptTokenizers tokenizers(goldens / "clip_text" / "model");
  const weft::SafeTensors expected(goldens / "clip_text" / "expected.safetensors");
  weft::Index row = 0;
  for (const auto& prompt : prompts_in("clip_text")) {
    const auto tokens = tokenizers.encode(prompt.at("prompt").get<std::string>());
    CHECK(tokens.at("tokenizer").ids == row_of(expected, "ids", row));
    CHECK(tokens.at("tokenizer_2").ids == row_of(expected, "ids_2", row));
    CHECK(tokens.at("tokenizer_2").mask == tokens.at("tokenizer").mask);
    ++row;
  }
}
