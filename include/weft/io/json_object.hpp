// JSON text as one object: no key twice, bounded nesting, rejections that name file and position.
#pragma once

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/json_value.hpp"

namespace weft::inline v0_1 {

namespace detail {

/// Returns "line 3, column 7", counted from 1, in bytes.
inline std::string position_in(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto line_start = before.rfind('\n') + 1;  // 0 on the first line: npos + 1
  return sentence("line ", line, ", column ", before.size() - line_start + 1);
}

/// A handler of RapidJSON's reader that builds a value. Its functions return whether to read on.
class JsonBuilder {
 public:
  explicit JsonBuilder(const std::string& name) : name_(name) {}

  /// Returns the value that was read.
  [[nodiscard]] JsonValue take() { return std::move(root_); }

  bool Null() { return add({}); }
  bool Bool(bool truth) { return add({.kind = JsonKind::boolean, .truth = truth}); }
  // Never called: with kParseNumbersAsStringsFlag, numbers arrive as RawNumber.
  bool Uint(unsigned) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Int(int) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Double(double) { return false; }
  bool RawNumber(const char* text, std::size_t length, bool) {
    std::optional<JsonValue> value = number({text, length});
    return value && add(std::move(*value));
  }
  bool String(const char* text, std::size_t length, bool) {
    return add({.kind = JsonKind::string, .text = std::string(text, length)});
  }
  bool StartArray() { return open(JsonKind::array); }
  bool StartObject() { return open(JsonKind::object); }
  bool Key(const char* text, std::size_t length, bool) {
    JsonValue& object = *open_.back();
    std::string key(text, length);
    if (!object.members.emplace(key, object.items.size()).second)
      reject(name_, " holds the key ", json_string(key).value_or("that is not Unicode"), " twice");
    return true;
  }
  bool EndArray(std::size_t) { return close(); }
  bool EndObject(std::size_t) { return close(); }

 private:
  /// Converts a number whose syntax the reader has checked. Returns nothing if it is one of the names that
  /// the reader takes for numbers and Python does not write.
  std::optional<JsonValue> number(std::string_view text) const {
    const auto whole = [text](auto& out) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
      return error == std::errc() && end == text.data() + text.size();
    };
    JsonValue value{.text = std::string(text)};
    if (std::isalpha(static_cast<unsigned char>(text.back()))) {
      const double infinity = std::numeric_limits<double>::infinity();
      const std::pair<std::string_view, double> names[] = {{"NaN", std::numeric_limits<double>::quiet_NaN()},
                                                           {"Infinity", infinity},
                                                           {"-Infinity", -infinity}};
      const auto* const name = std::ranges::find(names, text, &std::pair<std::string_view, double>::first);
      if (name == std::end(names)) return std::nullopt;
      value.kind = JsonKind::real;
      value.real = name->second;
      return value;
    }
    if (text.front() == '-' && whole(value.negative)) {
      value.kind = JsonKind::negative;
    } else if (text.front() != '-' && whole(value.natural)) {
      value.kind = JsonKind::natural;
    } else {
      value.kind = JsonKind::real;
      // std::from_chars fails alike for numbers too large and too small; std::strtod distinguishes them.
      if (!whole(value.real)) value.real = std::strtod(value.text.c_str(), nullptr);
      if (std::isinf(value.real)) reject(name_, " holds a number that is too large for a double");
    }
    return value;
  }

  bool add(JsonValue value) {
    place(std::move(value));
    return true;
  }

  JsonValue& place(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return root_;
    }
    return open_.back()->items.emplace_back(std::move(value));
  }

  /// Opens an array or object. Pointers to open values stay valid: only the innermost one gets items.
  bool open(JsonKind kind) {
    constexpr std::size_t deepest = 64;
    if (open_.size() == deepest) reject(name_, " is JSON that nests more than ", deepest, " levels");
    open_.push_back(&place({.kind = kind}));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& name_;
  JsonValue root_;
  std::vector<JsonValue*> open_;
};

}  // namespace detail

/// Parses `text` as an object; `name` is the file that rejections name. Numbers may be NaN, Infinity and
/// -Infinity, as Python writes them. Throws InvalidArgument if it is not JSON, not an object, holds a key
/// twice or nests more than 64 levels.
[[nodiscard]] inline JsonValue json_object(std::string_view text, const std::string& name) {
  constexpr unsigned flags = rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag |
                             rapidjson::kParseNanAndInfFlag;
  const auto reject_at = [text, &name](std::size_t offset) {
    reject(name, " is not valid JSON at ", detail::position_in(text, offset));
  };
  // The reader would take a NUL for the end of the text.
  if (const auto nul = text.find('\0'); nul != text.npos) reject_at(nul);
  rapidjson::MemoryStream stream(text.data(), text.size());
  detail::JsonBuilder builder(name);
  const rapidjson::ParseResult result = rapidjson::Reader().Parse<flags>(stream, builder);
  if (result.Code() == rapidjson::kParseErrorNumberTooBig)
    reject(name, " holds a number that is too large for a double");
  if (result.IsError()) reject_at(result.Offset());
  JsonValue value = builder.take();
  if (!value.is(JsonKind::object)) reject(name, " is ", found(value), " and must be a JSON object");
  return value;
}

}  // namespace weft::inline v0_1
