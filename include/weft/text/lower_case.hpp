// Lower case as Unicode defines it, of code points alone and of words.
#pragma once

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

/// Appends the lower case of a code point, whatever stands beside it.
inline void append_lower(std::u32string& out, char32_t code_point) {
  constexpr char32_t capital_i_with_dot = 0x130, dot_above = 0x307;
  if (code_point == capital_i_with_dot) {  // the one code point whose lower case is two
    out += {U'i', dot_above};
  } else {
    out.push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))));
  }
}

namespace detail {

/// Returns whether the code point has the property Case_Ignorable.
inline bool is_case_ignorable(char32_t code_point) {
  constexpr std::u32string_view inside_words =
      U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
  constexpr std::string_view categories[] = {"Mn", "Me", "Cf", "Lm", "Sk"};
  return std::ranges::count(categories, category(code_point)) > 0 ||
         inside_words.find(code_point) != inside_words.npos;
}

/// Returns whether the code point, which is not Case_Ignorable, has the property Cased.
inline bool is_cased(char32_t code_point) {
  struct Span {
    char32_t first, last;
  };
  constexpr Span others[] = {{0xAA, 0xAA},       {0xBA, 0xBA},       {0x2160, 0x217F},  {0x24B6, 0x24E9},
                             {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
  constexpr std::string_view categories[] = {"Lu", "Ll", "Lt"};
  return std::ranges::count(categories, category(code_point)) > 0 ||
         std::ranges::any_of(
             others, [code_point](Span span) { return span.first <= code_point && code_point <= span.last; });
}

/// Returns whether the code points, which lead away from a sigma, have a cased one before any that is
/// neither cased nor ignorable.
template <class Iterator>
bool meets_cased(Iterator at, Iterator end) {
  at = std::find_if_not(at, end, is_case_ignorable);
  return at != end && is_cased(*at);
}

}  // namespace detail

/// Returns the lower case of a text, in which a sigma at the end of a word becomes ς (Unicode 15, 3.13).
[[nodiscard]] inline std::u32string lower_case(std::u32string_view text) {
  constexpr char32_t capital_sigma = 0x3A3, final_sigma = 0x3C2;
  std::u32string out;
  out.reserve(text.size());
  for (auto at = text.begin(); at != text.end(); ++at) {
    if (*at == capital_sigma && detail::meets_cased(std::make_reverse_iterator(at), text.rend()) &&
        !detail::meets_cased(at + 1, text.end())) {
      out.push_back(final_sigma);
    } else {
      append_lower(out, *at);
    }
  }
  return out;
}

}  // namespace weft::inline v0_1::text
