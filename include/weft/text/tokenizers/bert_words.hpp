// BERT's words: text cleaned and split at white space and punctuation (Devlin et al. 2019, "BERT").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

/// Settings of BERT's split.
struct BertWordSettings {
  bool strips_accents = true;
  bool splits_chinese = true;  // whether each ideograph is a word
};

namespace detail {

/// Returns whether the code point is an ideograph of the blocks that BERT knows: no kana, no Hangul.
constexpr bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/// Returns whether BERT makes the code point a word of its own: ASCII's signs and Unicode's punctuation.
inline bool is_bert_punctuation(char32_t c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126) ||
         is_punctuation(c);
}

/// Returns the text without controls and unassigned code points, with spaces round ideographs.
inline std::u32string cleaned(std::u32string_view text, bool splits_chinese) {
  constexpr char32_t replacement = 0xFFFD;
  std::u32string out;
  for (const char32_t c : text) {
    if (c == U'\t' || c == U'\n' || c == U'\r') {
      out.push_back(U' ');
    } else if (c == replacement || is_other(c)) {
      continue;
    } else if (splits_chinese && is_ideograph(c)) {
      out += {U' ', c, U' '};
    } else {
      out.push_back(c);
    }
  }
  return out;
}

inline std::u32string without_accents(std::u32string_view text) {
  std::u32string out = decomposed(text);
  std::erase_if(out, [](char32_t c) { return category(c) == "Mn"; });
  return out;
}

}  // namespace detail

/// Returns the words of a text in the case in which it is, none of them empty.
[[nodiscard]] inline std::vector<std::u32string> bert_words(std::u32string_view text,
                                                            const BertWordSettings& settings) {
  std::u32string clean = composed(detail::cleaned(text, settings.splits_chinese));
  if (settings.strips_accents) clean = detail::without_accents(clean);
  std::vector<std::u32string> words;
  bool is_in_word = false;
  for (const char32_t c : clean) {
    const bool is_alone = detail::is_bert_punctuation(c), is_space = is_white_space(c);
    if (!is_space && (is_alone || !is_in_word)) words.emplace_back();
    if (!is_space) words.back().push_back(c);
    is_in_word = !is_alone && !is_space;
  }
  return words;
}

}  // namespace weft::inline v0_1::text
