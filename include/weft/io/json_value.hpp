// JsonValue: a JSON value that was read, and the text of values.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::inline v0_1 {

enum class JsonKind { null, boolean, natural, negative, real, string, array, object };

/// A JSON value, of which `kind` decides which other fields are set. Whole numbers of 64 bits are exact,
/// others are real.
struct JsonValue {
  JsonKind kind = JsonKind::null;
  bool truth = false;
  std::uint64_t natural = 0;
  std::int64_t negative = 0;
  double real = 0;
  std::string text{};                                         // of a string, or of a number as written
  std::vector<JsonValue> items{};                             // of an array, or of an object's members
  std::map<std::string, std::size_t, std::less<>> members{};  // of an object: indices of their items

  bool is(JsonKind expected) const { return kind == expected; }

  /// Returns null if this is not an object with such a member.
  const JsonValue* find(std::string_view member) const {
    const auto at = members.find(member);
    return at == members.end() ? nullptr : &items[at->second];
  }
};

/// Returns `text` as a JSON string, or nothing if it is not UTF-8.
inline std::optional<std::string> json_string(std::string_view text) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::UTF8<>, rapidjson::CrtAllocator,
                    rapidjson::kWriteValidateEncodingFlag>
      writer(out);
  if (!writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()))) return std::nullopt;
  return std::string(out.GetString(), out.GetSize());
}

/// Returns a description of `value` for rejections: the value itself, or its kind if that would be long.
inline std::string found(const JsonValue& value) {
  constexpr std::size_t longest = 60;
  switch (value.kind) {
    case JsonKind::null:
      return "null";
    case JsonKind::boolean:
      return value.truth ? "true" : "false";
    case JsonKind::natural:
    case JsonKind::negative:
    case JsonKind::real:
      if (value.text.size() <= longest) return value.text;
      return "a number of " + std::to_string(value.text.size()) + " characters";
    case JsonKind::string:
      if (const auto text = json_string(value.text); text && value.text.size() <= longest) return *text;
      return "a string of " + std::to_string(value.text.size()) + " bytes";
    case JsonKind::array:
      return "an array";
    default:
      return "an object";
  }
}

}  // namespace weft::inline v0_1
