// UTF-8, the properties of code points and the normal forms that tokenizers need, from utf8proc.
#pragma once

#include <utf8proc.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "weft/core/error.hpp"

namespace weft::inline v0_1::text {

/// Returns the code points of `text`, which rejections call `name`. Throws InvalidArgument if it is not
/// UTF-8: weft replaces no bytes, since a prompt would change unnoticed.
[[nodiscard]] inline std::u32string decoded(std::string_view text, std::string_view name) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t code_point = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                         static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    if (length < 1)
      reject(name, " is not UTF-8 at byte ", at, ", ", static_cast<unsigned char>(text[at]),
             "; convert it to UTF-8");
    out.push_back(static_cast<char32_t>(code_point));
    at += static_cast<std::size_t>(length);
  }
  return out;
}

/// Appends a code point as UTF-8.
inline void append(std::string& out, char32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

/// Returns the code points as UTF-8.
[[nodiscard]] inline std::string encoded(std::u32string_view code_points) {
  std::string out;
  out.reserve(code_points.size());
  for (const char32_t code_point : code_points) append(out, code_point);
  return out;
}

/// Returns the number of bytes of the UTF-8 sequence that begins with `lead`.
[[nodiscard]] constexpr std::size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Returns the two letters of the general category, such as "Lu"; "Cn" for a code point that is unassigned.
[[nodiscard]] inline std::string_view category(char32_t code_point) {
  return utf8proc_category_string(static_cast<utf8proc_int32_t>(code_point));
}

inline bool is_letter(char32_t code_point) { return category(code_point).front() == 'L'; }
inline bool is_number(char32_t code_point) { return category(code_point).front() == 'N'; }
inline bool is_punctuation(char32_t code_point) { return category(code_point).front() == 'P'; }
/// Returns whether it is a control, a format character, private or unassigned.
inline bool is_other(char32_t code_point) { return category(code_point).front() == 'C'; }

/// Returns whether the code point has the property White_Space.
inline bool is_white_space(char32_t code_point) {
  return (code_point >= 0x09 && code_point <= 0x0D) || code_point == 0x85 ||
         category(code_point).front() == 'Z';
}

namespace detail {

inline std::u32string normalized(std::u32string_view code_points, int form) {
  const std::string text = encoded(code_points);
  const auto* const bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = static_cast<utf8proc_ssize_t>(text.size());
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | form);
  const auto checked = [](utf8proc_ssize_t count) {
    if (count < 0) reject("the text has no Unicode normal form: ", utf8proc_errmsg(count));
    return static_cast<std::size_t>(count);
  };
  std::u32string out(checked(utf8proc_decompose(bytes, size, nullptr, 0, options)), U'\0');
  static_assert(sizeof(char32_t) == sizeof(utf8proc_int32_t));
  auto* const numbers = reinterpret_cast<utf8proc_int32_t*>(out.data());
  const auto count =
      utf8proc_decompose(bytes, size, numbers, static_cast<utf8proc_ssize_t>(out.size()), options);
  out.resize(checked(utf8proc_normalize_utf32(numbers, count, options)));
  return out;
}

}  // namespace detail

/// Returns Unicode's normalization form C.
[[nodiscard]] inline std::u32string composed(std::u32string_view code_points) {
  return detail::normalized(code_points, UTF8PROC_COMPOSE);
}

/// Returns Unicode's normalization form D.
[[nodiscard]] inline std::u32string decomposed(std::u32string_view code_points) {
  return detail::normalized(code_points, UTF8PROC_DECOMPOSE);
}

}  // namespace weft::inline v0_1::text
