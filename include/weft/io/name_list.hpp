// Lists of names inside sentences, cut short when they are long.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "weft/core/error.hpp"

namespace weft::inline v0_1 {

/// Returns "a, b, c, d and 12 more", or "none".
inline std::string first_few(std::vector<std::string> names) {
  constexpr std::size_t shown = 4;
  if (names.empty()) return "none";
  if (names.size() > shown) {
    const auto rest = names.size() - shown;
    names.resize(shown);
    names.push_back(std::to_string(rest) + " more");
  }
  return listed(names);
}

/// Returns the keys of a map, in order.
template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

}  // namespace weft::inline v0_1
