// CLIP's words: normalized text split at white space and where letters, numbers and signs meet.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "weft/text/lower_case.hpp"
#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

/// Returns the text in normalization form C, then in lower case. Its white space stays as it is.
[[nodiscard]] inline std::u32string clip_normalized(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : composed(text)) append_lower(out, c);
  return out;
}

/// Returns the parts of a text that match 's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+ from left to
/// right.
[[nodiscard]] inline std::vector<std::u32string_view> clip_words(std::u32string_view text) {
  const auto length_while = [&text](const auto& holds) {
    std::size_t length = 1;
    while (length < text.size() && holds(text[length])) ++length;
    return length;
  };
  const auto is_sign = [](char32_t c) { return !is_white_space(c) && !is_letter(c) && !is_number(c); };
  const auto length_of_suffix = [&text] {
    for (const std::u32string_view suffix : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"})
      if (text.starts_with(suffix)) return suffix.size();
    return std::size_t{0};
  };
  std::vector<std::u32string_view> words;
  while (!text.empty()) {
    std::size_t length = length_of_suffix();
    if (length == 0)
      length = is_letter(text[0]) ? length_while(is_letter) : is_sign(text[0]) ? length_while(is_sign) : 1;
    if (!is_white_space(text[0])) words.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return words;
}

}  // namespace weft::inline v0_1::text
