// SentencePiece: T5's tokenizer, a sentencepiece model of the kind unigram with added tokens.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/text/tokenizers/added_tokens.hpp"
#include "weft/text/tokenizers/frame.hpp"
#include "weft/text/tokenizers/sentencepiece_file.hpp"
#include "weft/text/tokenizers/sentencepiece_normalizer.hpp"
#include "weft/text/tokenizers/settings.hpp"
#include "weft/text/tokenizers/unigram.hpp"

namespace weft::inline v0_1::text {

class SentencePiece {
 public:
  /// Reads `folder`/spiece.model and the settings beside it. Throws InvalidArgument if they do not fit
  /// together.
  explicit SentencePiece(const std::filesystem::path& folder)
      : SentencePiece(SentencePieceFile(folder / "spiece.model"),
                      TokenizerSettings(
                          folder, {{"eos_token", "</s>"}, {"pad_token", "<pad>"}, {"unk_token", "<unk>"}})) {}

  /// Returns the ids of a prompt's pieces, without the frame.
  std::vector<Id> pieces(std::string_view prompt) const {
    std::vector<Id> out;
    added_.split(
        prompt, [&out](Id id) { out.push_back(id); },
        [&out, this](std::string_view text) { unigram_.add_pieces(out, normalize_(text)); });
    return out;
  }

  const Frame& frame() const { return frame_; }
  std::optional<Index> longest() const { return longest_; }

 private:
  SentencePiece(SentencePieceFile file, const TokenizerSettings& settings)
      : normalize_(file), unigram_(std::move(file)), longest_(settings.longest()) {
    const Config& config = settings.config();
    if (!config.optional<bool>("legacy", true))
      reject(config.name(), ": legacy is false, and only the legacy split at special tokens is implemented");
    const auto size = static_cast<Id>(unigram_.file().pieces().size());
    added_ = settings.added_tokens(
        extra_tokens(settings, size), [this](const std::string& content) { return unigram_.find(content); },
        size);
    const auto id_of = [&settings, this](const char* key) { return added_.find(settings.content(key))->id; };
    frame_ = {.first = std::nullopt,
              .last = id_of("eos_token"),
              .padding = id_of("pad_token"),
              .repeats_last = false};
  }

  /// Returns T5's sentinels, whose ids follow those of the `size` pieces: <extra_id_0> has the last.
  static std::vector<AddedToken> extra_tokens(const TokenizerSettings& settings, Id size) {
    const Config& config = settings.config();
    constexpr int usual = 100, most = 1 << 16;
    const int asked = config.optional<int>("extra_ids", usual);
    if (asked < 0 || asked > most)
      reject(config.name(), ": extra_ids is ", asked, " and must be from 0 to ", most, "; ", usual,
             " is usual");
    const auto listed = std::ranges::count_if(settings.special(), [](const AddedToken& token) {
      return token.content.find("<extra_id_") != token.content.npos;
    });
    if (listed > 0 && asked > 0 && listed != asked)
      reject(config.name(), ": extra_ids is ", asked, ", and ", listed,
             " tokens <extra_id_…> are listed; the numbers must be equal");
    std::vector<AddedToken> tokens;
    for (Id i = 0; i < std::max<Id>(listed, asked); ++i)
      tokens.push_back({.content = sentence("<extra_id_", i, ">"),
                        .id = size - 1 + asked - i,
                        .strips_left = true,
                        .strips_right = true});
    return tokens;
  }

  SentencePieceNormalizer normalize_;
  Unigram unigram_;
  AddedTokens added_;
  Frame frame_;
  std::optional<Index> longest_;
};

}  // namespace weft::inline v0_1::text
