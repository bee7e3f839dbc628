#include <doctest/doctest.h>

#include "folders.hpp"
#include "weft/text/prompt_tokenizers.hpp"

using doctest::Contains;
using weft::text::PromptTokenizers;

namespace {

/// A model's folder with the small tokenizers that are asked for.
struct Model {
  TemporaryFolder folder;

  explicit Model(const std::string& pipeline) {
    if (!pipeline.empty()) folder.write("model_index.json", R"({"_class_name": ")" + pipeline + R"("})");
  }

  const Model& with_clip(const std::string& name) const {
    std::filesystem::create_directory(folder / name);
    folder.write(name + "/vocab.json", R"({"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2})");
    folder.write(name + "/merges.txt", "#version: 0.2\n");
    folder.write(name + "/tokenizer_config.json",
                 R"({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77})");
    return *this;
  }
  const Model& with_t5(const std::string& name) const {
    std::filesystem::create_directory(folder / name);
    folder.write(name + "/spiece.model", special_pieces() + piece("▁", -1) + piece("ας", -1));
    folder.write(name + "/tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})");
    return *this;
  }

  /// Returns the lengths of the tokenizers' ids.
  std::map<std::string, std::size_t> lengths(std::optional<weft::Index> given = {}) const {
    std::map<std::string, std::size_t> out;
    for (const auto& [name, tokens] : PromptTokenizers(folder.path(), given).encode("a"))
      out[name] = tokens.ids.size();
    return out;
  }

  void rejects(const char* text, std::optional<weft::Index> given = {}) const {
    CHECK_THROWS_WITH_AS(PromptTokenizers(folder.path(), given), Contains(text), weft::InvalidArgument);
  }
};

using Lengths = std::map<std::string, std::size_t>;

}  // namespace

TEST_CASE("PromptTokenizers: the lengths of each pipeline") {
  CHECK(Model("FluxPipeline").with_clip("tokenizer").with_t5("tokenizer_2").lengths() ==
        Lengths{{"tokenizer", 77}, {"tokenizer_2", 512}});
  CHECK(Model("PixArtAlphaPipeline").with_t5("tokenizer").lengths() == Lengths{{"tokenizer", 120}});
  CHECK(Model("PixArtSigmaPipeline").with_t5("tokenizer").lengths() == Lengths{{"tokenizer", 300}});
  const Model sd3("StableDiffusion3Pipeline");
  sd3.with_clip("tokenizer").with_clip("tokenizer_2");
  CHECK(sd3.lengths() == Lengths{{"tokenizer", 77}, {"tokenizer_2", 77}});
  CHECK(sd3.with_t5("tokenizer_3").lengths() ==
        Lengths{{"tokenizer", 77}, {"tokenizer_2", 77}, {"tokenizer_3", 256}});
  CHECK(sd3.lengths(512) == Lengths{{"tokenizer", 77}, {"tokenizer_2", 77}, {"tokenizer_3", 512}});
}

TEST_CASE("PromptTokenizers: without a pipeline, the lengths of the settings") {
  const Model model("");
  model.with_clip("tokenizer");
  CHECK(model.lengths() == Lengths{{"tokenizer", 77}});
  model.with_t5("tokenizer_2");
  model.rejects("tokenizer_2 names no model_max_length");
  CHECK(model.lengths(9) == Lengths{{"tokenizer", 77}, {"tokenizer_2", 9}});
}

TEST_CASE("PromptTokenizers: PixArt's prompts become lower case and lose outer white space") {
  const Model pixart("PixArtSigmaPipeline"), flux("FluxPipeline");
  pixart.with_t5("tokenizer");
  flux.with_clip("tokenizer").with_t5("tokenizer_2");
  const auto begin_of = [](const Model& model, const char* tokenizer) {
    const Ids ids = PromptTokenizers(model.folder.path()).encode("\u3000 ΑΣ\x1F\n").at(tokenizer).ids;
    return Ids(ids.begin(), ids.begin() + 3);
  };
  CHECK(begin_of(pixart, "tokenizer") == Ids{3, 4, 1});
  CHECK(begin_of(flux, "tokenizer_2") != Ids{3, 4, 1});
}

TEST_CASE("PromptTokenizers: models that cannot be asked are rejected") {
  Model("KandinskyPipeline").rejects("_class_name is KandinskyPipeline; there are HunyuanDiTPipeline");
  Model("FluxPipeline").with_clip("tokenizer").rejects("tokenizer_2");
  Model("").rejects("has no folder tokenizer/");
  Model("").with_clip("tokenizer").rejects("has no T5; omit it", 100);
  CHECK_THROWS_WITH_AS(Model("PixArtSigmaPipeline").with_t5("tokenizer").lengths(1), Contains("is 1 tokens"),
                       weft::InvalidArgument);
}
