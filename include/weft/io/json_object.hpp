// JSON text as one object: no key twice, bounded nesting, refusals that name file and position.
#pragma once

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/error.hpp"

namespace weft {

namespace detail {

/// "line 3, column 7", counted from 1, in bytes.
inline std::string position_in(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto line_start = before.rfind('\n') + 1;  // 0 on the first line: npos + 1
  return sentence("line ", line, ", column ", before.size() - line_start + 1);
}

}  // namespace detail

/// What `value` is, for refusals: itself, or its kind where that would be long.
inline std::string found(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  constexpr std::size_t longest = 60;
  if (!value.is_string() || value.get_ref<const std::string&>().size() <= longest) return value.dump();
  return "a string of " + std::to_string(value.get_ref<const std::string&>().size()) + " bytes";
}

/// The object that `text` is; `name` is the file that refusals name. Refused if it is not JSON, not an
/// object, holds a key twice or nests more than 64 levels.
inline nlohmann::json json_object(std::string_view text, const std::string& name) {
  constexpr int deepest = 64;
  std::vector<std::set<std::string>> keys;  // of every object that is open
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth >= deepest && (event == Event::object_start || event == Event::array_start))
      refuse(name, " is JSON that nests more than ", deepest, " levels");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second)
      refuse(name, " holds the key ", parsed.dump(), " twice");
    return true;
  };
  const auto refuse_at = [&](std::size_t offset) {
    refuse(name, " is not valid JSON at ", detail::position_in(text, offset));
  };

  // The parser would take a NUL for the end of the text.
  if (const auto nul = text.find('\0'); nul != text.npos) refuse_at(nul);
  nlohmann::json parsed;
  try {
    parsed = nlohmann::json::parse(text, check);
  } catch (const nlohmann::json::parse_error& error) {
    refuse_at(error.byte - 1);
  } catch (const nlohmann::json::out_of_range&) {
    refuse(name, " holds a number that is too large for a double");
  }
  if (!parsed.is_object()) refuse(name, " is ", found(parsed), " and must be a JSON object");
  return parsed;
}

}  // namespace weft
