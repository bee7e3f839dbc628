// WordPiece: BERT's tokenizer, each word as its longest known pieces (Wu et al. 2016, arXiv:1609.08144).
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/mapped_file.hpp"
#include "weft/text/lower_case.hpp"
#include "weft/text/tokenizers/added_tokens.hpp"
#include "weft/text/tokenizers/bert_words.hpp"
#include "weft/text/tokenizers/frame.hpp"
#include "weft/text/tokenizers/settings.hpp"
#include "weft/text/tokenizers/vocabulary.hpp"

namespace weft::inline v0_1::text {

class WordPiece {
 public:
  /// Reads `folder`/vocab.txt, one piece a line, whose number is the id, and the settings beside it. Throws
  /// InvalidArgument if they do not fit together.
  explicit WordPiece(const std::filesystem::path& folder)
      : WordPiece(folder / "vocab.txt", TokenizerSettings(folder, {{"cls_token", "[CLS]"},
                                                                   {"mask_token", "[MASK]"},
                                                                   {"pad_token", "[PAD]"},
                                                                   {"sep_token", "[SEP]"},
                                                                   {"unk_token", "[UNK]"}})) {}

  /// Returns the ids of a prompt's pieces, without the frame.
  std::vector<Id> pieces(std::string_view prompt) const {
    std::vector<Id> out;
    added_.split(
        lower_case_ ? lowered(prompt) : std::string(prompt), [&out](Id id) { out.push_back(id); },
        [&out, this](std::string_view text) {
          for (const std::u32string& word : bert_words(decoded(text, "the prompt"), words_)) add(out, word);
        });
    return out;
  }

  const Frame& frame() const { return frame_; }
  std::optional<Index> longest() const { return longest_; }

 private:
  WordPiece(const std::filesystem::path& vocabulary, const TokenizerSettings& settings)
      : longest_(settings.longest()) {
    const Config& config = settings.config();
    if (!config.optional<bool>("do_basic_tokenize", true))
      reject(config.name(), ": do_basic_tokenize is false, which is not implemented; it must be true");
    if (!config.optional_array<std::string>("never_split").empty())
      reject(config.name(),
             ": never_split is not implemented; list the words in added_tokens_decoder instead");
    lower_case_ = config.optional<bool>("do_lower_case", true);
    words_.strips_accents = config.optional<bool>("strip_accents", lower_case_);
    words_.splits_chinese = config.optional<bool>("tokenize_chinese_chars", true);
    const Id lines = read(vocabulary);
    added_ = settings.added_tokens(
        {}, [this](const std::string& content) { return vocabulary_.find(content); }, lines);
    const auto id_of = [&settings, this](const char* key) { return added_.find(settings.content(key))->id; };
    unknown_ = id_of("unk_token");
    frame_ = {.first = id_of("cls_token"), .last = id_of("sep_token"), .padding = id_of("pad_token")};
  }

  /// Returns the number of lines.
  Id read(const std::filesystem::path& path) {
    const MappedFile file(path);
    std::string_view text = file.text();
    static_cast<void>(decoded(text, path.string()));
    Id id = 0;
    for (; !text.empty(); ++id) {
      std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      vocabulary_.add(std::string(line), id);
    }
    if (id == 0) reject(path.string(), " is empty; it holds a piece on each line");
    return id;
  }

  /// Returns the prompt in lower case, apart from its special tokens.
  std::string lowered(std::string_view prompt) const {
    std::u32string out;
    while (!prompt.empty()) {
      const AddedToken* token = added_.at_front(prompt);
      const bool stays = token && (token->is_special || token->is_normalized);
      const std::size_t length = stays ? token->content.size() : utf8_length(prompt.front());
      const std::u32string part = decoded(prompt.substr(0, length), "the prompt");
      if (stays)
        out += part;
      else
        append_lower(out, part.front());
      prompt.remove_prefix(length);
    }
    return encoded(out);
  }

  /// Adds a word's pieces: the longest that it begins with, then the longest that continue it, or the unknown
  /// token where one of them does not exist.
  void add(std::vector<Id>& out, const std::u32string& word) const {
    constexpr std::size_t longest_word = 100;  // in code points
    if (word.size() > longest_word) return out.push_back(unknown_);
    const std::size_t count_before = out.size();
    for (std::size_t begin = 0; begin < word.size();) {
      const auto [id, length] =
          longest_piece(std::u32string_view(word).substr(begin), begin == 0 ? "" : "##");
      if (!id) {
        out.resize(count_before);
        return out.push_back(unknown_);
      }
      out.push_back(*id);
      begin += length;
    }
  }

  /// Returns the longest piece, written after `prefix`, that `text` begins with, and its code points.
  std::pair<std::optional<Id>, std::size_t> longest_piece(std::u32string_view text,
                                                          const char* prefix) const {
    for (std::size_t length = text.size(); length > 0; --length)
      if (const auto id = vocabulary_.find(prefix + encoded(text.substr(0, length)))) return {id, length};
    return {std::nullopt, 0};
  }

  bool lower_case_ = true;
  BertWordSettings words_;
  Vocabulary vocabulary_;
  AddedTokens added_;
  Id unknown_ = 0;
  Frame frame_;
  std::optional<Index> longest_;
};

}  // namespace weft::inline v0_1::text
