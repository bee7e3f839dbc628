// A model's encoders on several ranks.
#include "weft/text/prompt_encoders.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../counted_host.hpp"
#include "../io/temporary_folder.hpp"
#include "encoder_goldens.hpp"
#include "folders.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"

namespace {

using Encoders = weft::text::PromptEncoders<weft::Host>;

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

TEST_CASE("PromptEncoders: more ranks than encodings, and no prompts") {
  const Encoders encoders(goldens / "hunyuan_pipeline" / "model");
  const std::vector<std::string> prompts{"a horse"};
  const auto alone = encoded(encoders, prompts, 1, 0);
  for (const int rank : {0, 1, 2}) {
    const auto texts = encoded(encoders, prompts, 3, rank);
    REQUIRE(texts.size() == 1);
    for (const auto& [name, text] : alone.front())
      CHECK(texts.front().at(name).states.data == text.states.data);
    CHECK(encoded(encoders, {}, 3, rank).empty());
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

namespace {

/// A model of links to goldens' folders.
struct LinkedModel {
  TemporaryFolder folder;

  explicit LinkedModel(const char* pipeline) {
    folder.write("model_index.json", std::string(R"({"_class_name": ")") + pipeline + R"("})");
  }
  void link(const char* name, const char* golden, const char* part) const {
    std::filesystem::create_directory_symlink(goldens / golden / "model" / part, folder / name);
  }
  /// Links to CLIP's folders of SD3.
  void link_clip() const {
    for (const char* name : {"tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2"})
      link(name, "clip_text", name);
  }
  void rejects(const std::string& why) const {
    const std::string wanted = folder.path().string() + why;
    CHECK_THROWS_WITH_AS(Encoders(folder.path()), wanted.c_str(), weft::InvalidArgument);
  }
};

}  // namespace

TEST_CASE("PromptEncoders: FLUX's T5 attends to padding too, and its mask is still that of the prompt") {
  const LinkedModel model("FluxPipeline");
  for (const char* name : {"tokenizer", "text_encoder"}) model.link(name, "clip_text", name);
  for (const char* name : {"tokenizer_2", "text_encoder_2"}) model.link(name, "hunyuan_pipeline", name);
  const std::vector<std::string> prompts{"a horse"};
  const auto texts = encoded(Encoders(model.folder.path(), 40), prompts, 1, 0);
  const auto& text = texts.front().at("text_encoder_2");

  auto tokens =
      weft::text::PromptTokenizers(model.folder.path(), 40).encode(prompts.front()).at("tokenizer_2");
  CHECK(text.mask == tokens.mask);
  CHECK(text.mask.back() == 0);
  tokens.mask.assign(40, 1);
  weft::host::Queue queue;
  const weft::text::TextEncoder<weft::Host> encoder(model.folder / "text_encoder_2");
  CHECK(text.states.data == encoder.encode(queue, tokens).states.data);
}

TEST_CASE("PromptEncoders: SD3 may lack T5; other encoders and tokenizers may not lack each other") {
  {
    const LinkedModel model("StableDiffusion3Pipeline");
    model.link_clip();
    const std::vector<std::string> both{"text_encoder", "text_encoder_2"};
    CHECK(Encoders(model.folder.path()).names() == both);
    model.link("tokenizer_3", "hunyuan_pipeline", "tokenizer_2");
    CHECK(Encoders(model.folder.path()).names() == both);
    model.link("text_encoder_3", "hunyuan_pipeline", "text_encoder_2");
    CHECK(Encoders(model.folder.path()).names().size() == 3);
    std::filesystem::remove(model.folder / "tokenizer_3");
    model.rejects(" has text_encoder_3/ and no tokenizer_3/, whose tokens it reads");
    std::filesystem::remove(model.folder / "text_encoder_2");
    model.rejects(" has tokenizer_2/ and no text_encoder_2/, which encodes its tokens");
  }
}

TEST_CASE("PromptEncoders: ranks that differ in prompts are rejected together") {
  const Encoders encoders(goldens / "hunyuan_pipeline" / "model");
  CHECK_THROWS_WITH_AS(weft::launch(2,
                                    [&encoders](auto& world) {
                                      const std::vector<std::string> prompts{world.rank() == 0 ? "a" : "b"};
                                      static_cast<void>(encoders.encode(prompts, world));
                                    }),
                       "rank 1 was asked for another prompt than rank 0; all ranks must be given the same "
                       "request",
                       weft::InvalidArgument);
}

TEST_CASE("PromptEncoders: ranks that differ in the length of sequences are rejected together") {
  const std::filesystem::path model = goldens / "hunyuan_pipeline" / "model";
  const Encoders encoders(model), shorter(model, 40);
  CHECK_THROWS_WITH_AS(
      weft::launch(2,
                   [&encoders, &shorter](auto& world) {
                     const std::vector<std::string> prompts{"a"};
                     const Encoders& own = world.rank() == 0 ? encoders : shorter;
                     static_cast<void>(own.encode(prompts, world));
                   }),
      "rank 1 was asked for tokens of tokenizer_2 40 and rank 0 for tokens of tokenizer_2 256; "
      "all ranks must be given the same request",
      weft::InvalidArgument);
}

TEST_CASE("PromptEncoders: the planned memory is what the ranks' buffers hold at most") {
  for (const char* golden : {"hunyuan_pipeline", "clip_text"}) {
    const weft::text::PromptEncoders<CountedHost> encoders(goldens / golden / "model");
    const std::vector<std::string> prompts{"a horse", "", "a horse"};
    for (const auto& [ranks, slices] :
         {std::pair{1, 1}, {2, 1}, {3, 1}, {6, 1}, {2, 2}, {3, 3}, {4, 2}, {6, 3}, {5, 5}}) {
      CAPTURE(golden);
      CAPTURE(ranks);
      CAPTURE(slices);
      std::vector<weft::Index> held(static_cast<std::size_t>(ranks));
      weft::launch(ranks, [&encoders, &prompts, &held, slices = slices](weft::threads::World& world) {
        const weft::Index before = HeldBytes::peak = HeldBytes::now;
        static_cast<void>(encoders.encode(prompts, world, slices));
        CHECK(HeldBytes::now == before);
        held[static_cast<std::size_t>(world.rank())] = HeldBytes::peak - before;
      });
      const auto planned = encoders.memory(prompts, ranks, slices);
      REQUIRE(planned.size() == held.size());
      for (std::size_t rank = 0; rank < held.size(); ++rank)
        CHECK(static_cast<double>(planned[rank].total()) ==
              doctest::Approx(static_cast<double>(held[rank])).epsilon(0.01));
    }
    CHECK(encoders.memory({}, 2).front().total() == 0);
  }
}

TEST_CASE("dealt_out: the costliest first, each to the rank that is done with it first") {
  using weft::text::EncoderCost;
  const std::vector<EncoderCost> costs{{10, 3}, {100, 50}};
  const auto shares = [&costs](std::size_t prompts, int ranks) {
    std::vector<std::vector<std::size_t>> encodings(static_cast<std::size_t>(ranks),
                                                    std::vector<std::size_t>(costs.size()));
    for (const auto& one : weft::text::dealt_out(prompts, costs, ranks))
      ++encodings[static_cast<std::size_t>(one.group)][one.encoder];
    return encodings;
  };
  using Shares = std::vector<std::vector<std::size_t>>;
  CHECK(shares(2, 1) == Shares{{2, 2}});
  CHECK(shares(1, 2) == Shares{{0, 1}, {1, 0}});
  CHECK(shares(2, 2) == Shares{{1, 1}, {1, 1}});
  CHECK(shares(2, 3) == Shares{{0, 1}, {0, 1}, {2, 0}});
  CHECK(shares(3, 2) == Shares{{0, 2}, {3, 1}});
  CHECK(shares(0, 2) == Shares{{0, 0}, {0, 0}});
}
