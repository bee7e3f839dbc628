// Escapes text from other processes for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace weft::inline v0_1::job {

namespace detail {

/// Returns the length of the UTF-8 sequence at the front (Unicode 15, table 3-7); 0 if there is none, or a
/// control character.
inline std::size_t printable_length(std::string_view text) {
  const auto byte = [&text](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto is_next = [&byte](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const std::uint8_t lead = byte(0), second = byte(1);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7F;
  if (lead == 0xC2 && second < 0xA0) return 0;  // C1 controls
  if (lead >= 0xC2 && lead <= 0xDF) return is_next(1) ? 2 : 0;
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F))
    return 0;
  if (lead >= 0xE0 && lead <= 0xEF) return is_next(1) && is_next(2) ? 3 : 0;
  if (lead >= 0xF0 && lead <= 0xF4) return is_next(1) && is_next(2) && is_next(3) ? 4 : 0;
  return 0;
}

}  // namespace detail

/// Returns the text with control characters, and bytes that are not UTF-8, as \xNN.
[[nodiscard]] inline std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = detail::printable_length(text);
    if (length > 0) {
      out += text.substr(0, length);
    } else {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<std::uint8_t>(text.front()));
      out += escaped;
    }
    text.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

}  // namespace weft::inline v0_1::job
