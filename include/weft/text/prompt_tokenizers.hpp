// PromptTokenizers: a model's tokenizers, asked as its pipeline in diffusers asks them.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/io/json.hpp"
#include "weft/text/lower_case.hpp"
#include "weft/text/tokenizer.hpp"
#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

/// What a pipeline of diffusers does with a prompt.
struct PipelineText {
  std::string_view name;         // _class_name in model_index.json
  std::array<Index, 3> lengths;  // of tokenizer, tokenizer_2 and tokenizer_3, in tokens; 0 for none
  bool simplifies = false;       // whether prompts lose outer white space and become lower case
  bool needs_all = true;         // whether the last tokenizer and its encoder must be there
  bool masks_padding = true;     // whether T5 is given the mask, and does not attend to padding
};

inline constexpr std::array pipeline_texts{
    PipelineText{"HunyuanDiTPipeline", {77, 256, 0}},
    PipelineText{"PixArtAlphaPipeline", {120, 0, 0}, true},
    PipelineText{"PixArtSigmaPipeline", {300, 0, 0}, true},
    PipelineText{"StableDiffusion3Pipeline", {77, 77, 256}, false, false, false},
    PipelineText{"FluxPipeline", {77, 512, 0}, false, true, false},
};

class PromptTokenizers {
 public:
  /// Reads `model`/tokenizer, tokenizer_2 and tokenizer_3, as many as the pipeline in model_index.json has,
  /// and their lengths. Without that file, all that are there, with the length that each one's settings name.
  /// `max_sequence_length` replaces the length of T5's prompts. Throws InvalidArgument if a folder is missing
  /// or not valid, a length is unknown, or `max_sequence_length` has no effect.
  explicit PromptTokenizers(const std::filesystem::path& model, std::optional<Index> max_sequence_length = {})
      : pipeline_(pipeline_of(model / "model_index.json")) {
    bool takes_length = !max_sequence_length;
    for (std::size_t i = 0; i < folders.size(); ++i) {
      const std::filesystem::path folder = model / folders[i];
      const bool has_folder = is_there(folder);
      if (pipeline_ ? pipeline_->lengths[i] == 0 : !has_folder) continue;
      if (pipeline_ && !pipeline_->needs_all && i + 1 == folders.size() && !has_folder) continue;
      Tokenizer tokenizer = Tokenizer::read(folder);
      const bool takes_this = max_sequence_length && tokenizer.has_free_length();
      takes_length = takes_length || takes_this;
      const Index length = takes_this  ? *max_sequence_length
                           : pipeline_ ? pipeline_->lengths[i]
                                       : length_of(tokenizer, folder);
      parts_.push_back({folders[i], std::move(tokenizer), length});
    }
    if (parts_.empty()) reject(model.string(), " has no folder ", folders[0], "/ and so cannot read prompts");
    if (!takes_length)
      reject("max_sequence_length is the length of T5's prompts, and ", model.string(),
             " has no T5; omit it");
  }

  /// Returns the pipeline that model_index.json names, or null without that file.
  const PipelineText* pipeline() const { return pipeline_; }
  /// Returns the folders of the tokenizers that were read.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Part& part : parts_) out.push_back(part.folder);
    return out;
  }

  /// Returns the lengths to which they pad prompts, in tokens, by folder.
  std::map<std::string, Index> lengths() const {
    std::map<std::string, Index> out;
    for (const Part& part : parts_) out[part.folder] = part.length;
    return out;
  }

  /// Returns the prompt's ids and mask by folder, such as "tokenizer_2". Throws InvalidArgument if the prompt
  /// is not UTF-8 or is too long to read.
  std::map<std::string, TokenIds> encode(std::string_view prompt) const {
    const std::string text = pipeline_ && pipeline_->simplifies ? simplified(prompt) : std::string(prompt);
    std::map<std::string, TokenIds> out;
    for (const Part& part : parts_) out.emplace(part.folder, part.tokenizer.encode(text, part.length));
    return out;
  }

 private:
  static constexpr std::array<const char*, 3> folders{"tokenizer", "tokenizer_2", "tokenizer_3"};

  struct Part {
    std::string folder;
    Tokenizer tokenizer;
    Index length;
  };

  /// Returns the pipeline that the file names, or null if there is no file.
  static const PipelineText* pipeline_of(const std::filesystem::path& path) {
    if (!is_there(path)) return nullptr;
    const Config index = Config::read(path);
    const auto name = index.required<std::string>("_class_name");
    std::vector<std::string> known;
    for (const PipelineText& pipeline : pipeline_texts) {
      if (pipeline.name == name) return &pipeline;
      known.emplace_back(pipeline.name);
    }
    reject(index.name(), ": _class_name is ", name, "; there are ", listed(known));
  }

  static Index length_of(const Tokenizer& tokenizer, const std::filesystem::path& folder) {
    const std::optional<Index> length = tokenizer.longest();
    if (!length)
      reject(folder.string(),
             " names no model_max_length, and without model_index.json no pipeline gives one; ",
             "set max_sequence_length");
    return *length;
  }

  /// Returns the prompt as PixArt's pipelines have it where neither bs4 nor ftfy is installed: in lower case,
  /// without white space at its ends.
  static std::string simplified(std::string_view prompt) {
    const std::u32string lower = lower_case(decoded(prompt, "the prompt"));
    const auto is_space = [](char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); };
    const auto begin = std::ranges::find_if_not(lower, is_space);
    const auto end = std::find_if_not(lower.rbegin(), std::make_reverse_iterator(begin), is_space).base();
    return encoded(std::u32string(begin, end));
  }

  const PipelineText* pipeline_;
  std::vector<Part> parts_;
};

}  // namespace weft::inline v0_1::text
