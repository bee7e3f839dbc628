// A model's encoders on several ranks.
#include "weft/text/prompt_encoders.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "encoder_goldens.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"

namespace {

using Encoders = weft::text::PromptEncoders<weft::Host>;

const std::filesystem::path goldens = WEFT_GOLDENS_DIR;

std::vector<std::string> prompts_of(const char* golden) {
  std::vector<std::string> out;
  for (const auto& prompt : nlohmann::json::parse(std::ifstream(goldens / golden / "prompts.json")))
    out.push_back(prompt.at("prompt"));
  return out;
}

/// Returns what rank `rank` has of ranks of one thread each.
std::vector<Encoders::Texts> encoded(const Encoders& encoders, const std::vector<std::string>& prompts,
                                     int ranks, int rank) {
  std::vector<Encoders::Texts> out;
  weft::launch(ranks,
               [&](auto& world) {
                 auto texts = encoders.encode(prompts, world);
                 if (world.rank() == rank) out = std::move(texts);
               },
               {.threads = ranks});
  return out;
}

}  // namespace

TEST_CASE("PromptEncoders: HunyuanDiT's states, the same bits on 1, 2 and 3 ranks") {
  const Encoders encoders(goldens / "hunyuan_pipeline" / "model");
  CHECK(encoders.names() == std::vector<std::string>{"text_encoder", "text_encoder_2"});
  std::vector<std::string> prompts = prompts_of("hunyuan_pipeline");
  prompts.push_back(prompts.front());
  const auto alone = encoded(encoders, prompts, 1, 0);
  REQUIRE(alone.size() == prompts.size());
  const weft::SafeTensors expected(goldens / "hunyuan_pipeline" / "encoders_expected.safetensors");
  const weft::Tensor bert = expected.tensor("bert.last_hidden_state"),
                     t5 = expected.tensor("t5.last_hidden_state");
  for (std::size_t i = 0; i < alone.size(); ++i) {
    const auto row = static_cast<weft::Index>(i + 1 == alone.size() ? 0 : i);
    check_row(alone[i].at("text_encoder").states, bert, row, 1e-5);
    check_row(alone[i].at("text_encoder_2").states, t5, row, 1e-5);
    CHECK(alone[i].at("text_encoder_2").pooled.empty());
  }
  for (const int ranks : {2, 3})
    for (int rank = 0; rank < ranks; ++rank) {
      const auto texts = encoded(encoders, prompts, ranks, rank);
      REQUIRE(texts.size() == alone.size());
      for (std::size_t i = 0; i < texts.size(); ++i)
        for (const auto& [name, text] : alone[i]) {
          CHECK(texts[i].at(name).states.data == text.states.data);
          CHECK(texts[i].at(name).mask == text.mask);
        }
    }
}

TEST_CASE("PromptEncoders: CLIP's pooled outputs and states before the last layer reach all ranks") {
  const Encoders encoders(goldens / "clip_text" / "model");
  const weft::SafeTensors expected(goldens / "clip_text" / "expected.safetensors");
  const std::vector<std::string> prompts = prompts_of("clip_text");
  for (const int rank : {0, 1, 2}) {
    const auto texts = encoded(encoders, prompts, 3, rank);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto row = static_cast<weft::Index>(i);
      check_row(texts[i].at("text_encoder").penultimate, expected.tensor("penultimate"), row, 1e-5);
      check_row(texts[i].at("text_encoder").pooled, expected.tensor("pooled"), row, 1e-5);
      check_row(texts[i].at("text_encoder_2").penultimate, expected.tensor("penultimate_2"), row, 1e-5);
      check_row(texts[i].at("text_encoder_2").pooled, expected.tensor("pooled_2"), row, 1e-5);
    }
  }
}
