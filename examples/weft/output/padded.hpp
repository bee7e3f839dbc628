// Columns of tables.
#pragma once

#include <algorithm>
#include <string>

namespace command {

/// Returns `text` with blanks up to `width` characters; the dot in a mesh's name is a character of two bytes.
inline std::string padded(std::string text, std::size_t width) {
  const auto dots = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\xb7'));
  const std::size_t characters = text.size() - dots;
  return text.append(width - std::min(width, characters), ' ');
}

}  // namespace command
