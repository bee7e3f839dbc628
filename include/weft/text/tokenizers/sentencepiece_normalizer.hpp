// SentencePieceNormalizer: the text that a sentencepiece model splits (Kudo, Richardson 2018,
// arXiv:1808.06226).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weft/text/tokenizers/character_map.hpp"
#include "weft/text/tokenizers/piece_index.hpp"
#include "weft/text/tokenizers/sentencepiece_file.hpp"

namespace weft::inline v0_1::text {

class SentencePieceNormalizer {
 public:
  /// Takes the settings of a file, whose texts must outlive it. Throws InvalidArgument if its character map
  /// is damaged.
  explicit SentencePieceNormalizer(const SentencePieceFile& file)
      : settings_(file.normalizer()), characters_(settings_.character_map, file.name()) {
    std::vector<PieceIndex::Entry> kept;
    for (const SentencePieceFile::Piece& piece : file.pieces())
      if (piece.type == SentencePieceFile::Type::user_defined) kept.emplace_back(piece.text, 0);
    kept_ = PieceIndex(std::move(kept));
  }

  /// Returns a text, of UTF-8, with its characters mapped, surplus spaces removed and ▁ for a space.
  std::string operator()(std::string_view text) const {
    const std::string_view space = settings_.escape_whitespaces ? "\u2581" : " ";
    const bool removes = settings_.remove_extra_whitespaces;
    std::string out;
    bool is_empty = true, is_after_space = removes;
    while (!text.empty()) {
      auto [part, length] = front(text);
      text.remove_prefix(length);
      if (is_empty && removes && part == " ") continue;
      if (is_empty && settings_.add_dummy_prefix) out += space;
      is_empty = false;
      while (is_after_space && part.starts_with(' ')) part.remove_prefix(1);
      for (const char byte : part)
        if (byte == ' ')
          out += space;
        else
          out += byte;
      if (!part.empty()) is_after_space = removes && part.ends_with(' ');
    }
    while (removes && out.ends_with(space)) out.erase(out.size() - space.size());
    return out;
  }

 private:
  /// Returns what the front of the text becomes: user-defined pieces stay as they are.
  CharacterMap::Match front(std::string_view text) const {
    const std::size_t kept = kept_.longest_prefix_of(text);
    return kept > 0 ? CharacterMap::Match{text.substr(0, kept), kept} : characters_.at_front(text);
  }

  SentencePieceFile::Normalizer settings_;
  CharacterMap characters_;
  PieceIndex kept_;
};

}  // namespace weft::inline v0_1::text
