// CharacterMap: sentencepiece's normalization of characters, the precompiled_charsmap of its models.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "weft/core/error.hpp"
#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

/// A map from sequences of bytes to their replacements: keys in a double array (Aoe 1989, "An Efficient
/// Digital Search Algorithm by Using a Double-Array Structure") of Darts' form, then texts that end in NUL.
class CharacterMap {
 public:
  /// A replacement and the number of bytes that it replaces.
  struct Match {
    std::string_view text;
    std::size_t length = 0;
  };

  CharacterMap() = default;

  /// Reads the map; none, if `bytes` is empty. `name` is the file that rejections name.
  CharacterMap(std::string_view bytes, const std::string& name) {
    if (bytes.empty()) return;
    std::uint32_t size = 0;
    if (bytes.size() > sizeof size) std::memcpy(&size, bytes.data(), sizeof size);
    bytes.remove_prefix(std::min(bytes.size(), sizeof size));
    if (size == 0 || size % unit_bytes != 0 || size >= bytes.size() || bytes.back() != '\0')
      reject(name, " has a damaged precompiled_charsmap: ", bytes.size(), " bytes follow the size ", size);
    units_ = bytes.substr(0, size);
    texts_ = bytes.substr(size);
  }

  /// Returns the replacement of the longest key that `text` begins with, or its first character, which stays.
  /// `text` is UTF-8 and not empty.
  Match at_front(std::string_view text) const {
    Match best;
    std::uint32_t at = child_offset(unit(0));
    for (std::size_t i = 0; i < text.size() && !units_.empty(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      at ^= byte;
      const std::uint32_t here = unit(at);
      if ((here & (is_leaf | label)) != byte) break;
      at ^= child_offset(here);
      if (here & has_leaf) best = {replacement(unit(at) & ~is_leaf), i + 1};
    }
    if (best.length > 0) return best;
    const std::string_view character = text.substr(0, utf8_length(text.front()));
    return {character, character.size()};
  }

 private:
  static constexpr std::size_t unit_bytes = 4;
  static constexpr std::uint32_t is_leaf = 1u << 31, label = 0xFF, has_leaf = 1u << 8, is_far = 1u << 9;

  static std::uint32_t child_offset(std::uint32_t unit) { return (unit >> 10) << ((unit & is_far) ? 8 : 0); }

  /// Returns a unit; outside a damaged array, one that no byte leads to.
  std::uint32_t unit(std::uint32_t index) const {
    std::uint32_t value = is_leaf;
    const std::size_t begin = index * unit_bytes;
    if (begin < units_.size()) std::memcpy(&value, units_.data() + begin, unit_bytes);
    return value;
  }

  /// Returns the text that begins at `index`; an empty one outside a damaged map.
  std::string_view replacement(std::uint32_t index) const {
    if (index >= texts_.size()) return {};
    return texts_.substr(index, texts_.find('\0', index) - index);
  }

  std::string_view units_, texts_;  // of the file
};

}  // namespace weft::inline v0_1::text
