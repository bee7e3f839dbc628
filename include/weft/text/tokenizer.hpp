// Tokenizer: prompts to token ids, as transformers' BertTokenizer, T5Tokenizer and CLIPTokenizer give them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/io/json.hpp"
#include "weft/text/token_ids.hpp"
#include "weft/text/tokenizers/byte_pairs.hpp"
#include "weft/text/tokenizers/frame.hpp"
#include "weft/text/tokenizers/sentencepiece.hpp"
#include "weft/text/tokenizers/settings.hpp"
#include "weft/text/tokenizers/word_piece.hpp"
#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

/// A tokenizer of a folder as diffusers stores it. Threads may encode at once.
class Tokenizer {
 public:
  /// Reads the tokenizer that tokenizer_class in `folder`/tokenizer_config.json names. Throws InvalidArgument
  /// if there is none such or a file is not valid.
  [[nodiscard]] static Tokenizer read(const std::filesystem::path& folder) {
    const Config config = Config::read(folder / "tokenizer_config.json");
    const auto name = config.required<std::string>("tokenizer_class");
    std::string_view kind = name;
    if (constexpr std::string_view fast = "Fast"; kind.ends_with(fast)) kind.remove_suffix(fast.size());
    if (kind == "BertTokenizer") return Tokenizer(WordPiece(folder));
    if (kind == "T5Tokenizer" || kind == "MT5Tokenizer") return Tokenizer(SentencePiece(folder));
    if (kind == "CLIPTokenizer") return Tokenizer(BytePairs(folder));
    reject(config.name(), ": tokenizer_class is ", name,
           "; there are BertTokenizer, T5Tokenizer, MT5Tokenizer and CLIPTokenizer");
  }

  /// Returns the ids of a prompt, neither cut nor padded. Throws InvalidArgument if the prompt is not UTF-8
  /// or is longer than 65,536 bytes.
  std::vector<Id> ids(std::string_view prompt) const { return framed(checked_pieces(prompt)); }

  /// Returns the ids of a prompt, cut and padded to `length`, and their mask. Throws InvalidArgument as ids()
  /// does, and if `length` has no room for a piece.
  TokenIds encode(std::string_view prompt, Index length) const {
    const Index least = frame().first ? 3 : 2, most = 1 << 20;
    if (length < least || length > most)
      reject("the length of a prompt is ", length, " tokens and must be from ", least, " to ", most);
    std::vector<Id> kept = checked_pieces(prompt);
    kept.resize(std::min(kept.size(), static_cast<std::size_t>(length - least + 1)));
    TokenIds out{.ids = framed(std::move(kept)), .mask = {}};
    out.mask.assign(out.ids.size(), 1);
    out.ids.resize(static_cast<std::size_t>(length), frame().padding);
    out.mask.resize(static_cast<std::size_t>(length), 0);
    return out;
  }

  /// Returns whether the encoder takes prompts of any length: T5 has no table of positions.
  bool has_free_length() const { return std::holds_alternative<SentencePiece>(kind_); }

  /// Returns the length to which the model was trained, if the folder names it.
  std::optional<Index> longest() const {
    return std::visit([](const auto& kind) { return kind.longest(); }, kind_);
  }

 private:
  using Kind = std::variant<WordPiece, SentencePiece, BytePairs>;

  explicit Tokenizer(Kind kind) : kind_(std::move(kind)) {}

  const Frame& frame() const {
    return std::visit([](const auto& kind) -> const Frame& { return kind.frame(); }, kind_);
  }

  std::vector<Id> checked_pieces(std::string_view prompt) const {
    constexpr std::size_t most = 1 << 16;
    if (prompt.size() > most)
      reject("the prompt has ", prompt.size(), " bytes, and at most ", most,
             " are read; shorten it: text encoders see its first few hundred tokens alone");
    static_cast<void>(decoded(prompt, "the prompt"));
    return std::visit([prompt](const auto& kind) { return kind.pieces(prompt); }, kind_);
  }

  std::vector<Id> framed(std::vector<Id> ids) const {
    const bool has_last = !ids.empty() && ids.back() == frame().last;
    if (!has_last || frame().repeats_last) ids.push_back(frame().last);
    if (frame().first) ids.insert(ids.begin(), *frame().first);
    return ids;
  }

  Kind kind_;
};

}  // namespace weft::inline v0_1::text
