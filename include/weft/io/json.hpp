// A JSON object of settings, read key by key with the type that is needed.
#pragma once

#include <cmath>
#include <concepts>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/json_object.hpp"
#include "weft/io/mapped_file.hpp"
#include "weft/io/name_list.hpp"

namespace weft::inline v0_1 {

/// A number that may be infinite.
struct Unbounded {
  double value = 0;
};

template <class T>
concept Setting = std::same_as<T, bool> || std::same_as<T, int> || std::same_as<T, double> ||
    std::same_as<T, Unbounded> || std::same_as<T, std::string>;

/// The settings of a JSON object. Rejections name the file, the key, what was found and what is needed. A
/// null counts as absent.
class Config {
 public:
  /// Reads `text`; `name` stands for the file in rejections. Throws InvalidArgument unless it is a JSON
  /// object.
  Config(std::string_view text, std::string name)
      : name_(std::move(name)), object_(json_object(text, name_)) {}

  /// Reads a file. Throws InvalidArgument if it cannot be read or is not a JSON object.
  [[nodiscard]] static Config read(const std::filesystem::path& path) {
    return {MappedFile(path).text(), path.string()};
  }

  const std::string& name() const { return name_; }

  /// Returns all keys, sorted.
  std::vector<std::string> keys() const { return keys_of(object_.members); }

  /// Returns whether the key is there, and not null.
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Returns whether the key is there, and null.
  bool is_null(std::string_view key) const { return object_.find(key) && !has(key); }

  /// Copies the value of `key` from `other`, which rejections name from then on.
  void take(const std::string& key, const Config& other) {
    name_ = other.name_;
    const auto [at, is_new] = object_.members.emplace(key, object_.items.size());
    if (is_new) object_.items.emplace_back();
    const JsonValue* value = other.object_.find(key);
    object_.items[at->second] = value ? *value : JsonValue{};
  }

  /// Returns the value of `key`. Throws InvalidArgument if it is absent or not a T. A whole number is a
  /// double too, but 2.0 is no int.
  template <Setting T>
  T required(std::string_view key) const {
    return converted<T>(key, present(key, needed<T>()));
  }

  /// Returns the value of `key`, or `fallback` if it is absent. Throws InvalidArgument if it is not a T.
  template <Setting T>
  T optional(std::string_view key, T fallback) const {
    const JsonValue* value = find(key);
    return value ? converted<T>(key, *value) : fallback;
  }

  /// Returns the object at `key`, whose rejections name this file and `key`; one without keys if it is
  /// absent. Throws InvalidArgument if it is anything else.
  Config optional_object(std::string_view key) const {
    const JsonValue* value = find(key);
    return as_object(key, value ? *value : JsonValue{.kind = JsonKind::object});
  }

  /// Returns the objects at `key`, an array of them or one alone, in which a string counts as an object with
  /// this string at `string_key`; none if `key` is absent. Throws InvalidArgument if it is anything else.
  std::vector<Config> optional_objects(std::string_view key, const std::string& string_key) const {
    std::vector<Config> objects;
    const auto add = [&objects, &string_key, this](std::string_view place, const JsonValue& item) {
      const JsonValue object{.kind = JsonKind::object, .items = {item}, .members = {{string_key, 0}}};
      objects.push_back(as_object(place, item.is(JsonKind::string) ? object : item));
    };
    const JsonValue* value = find(key);
    if (!value) return objects;
    if (!value->is(JsonKind::array)) {
      add(key, *value);
    } else {
      for (const JsonValue& item : value->items) add(sentence(key, "[", objects.size(), "]"), item);
    }
    return objects;
  }

  /// Returns the array of finite numbers or of strings at `key`; an empty one if it is absent. Throws
  /// InvalidArgument if it is anything else.
  template <Setting T>
  std::vector<T> optional_array(std::string_view key) const {
    const JsonValue* array = find(key);
    if (!array) return {};
    if (!array->is(JsonKind::array)) reject_type(key, *array, "an array");
    std::vector<T> out;
    for (const JsonValue& item : array->items)
      out.push_back(converted<T>(sentence(key, "[", out.size(), "]"), item));
    return out;
  }

  /// Returns the object of strings at `key`, such as the weight map of a weight index. Throws InvalidArgument
  /// if it is absent or anything else.
  std::map<std::string, std::string, std::less<>> required_strings(std::string_view key) const {
    constexpr auto need = "an object of strings";
    const JsonValue& object = present(key, need);
    if (!object.is(JsonKind::object)) reject_type(key, object, need);
    std::map<std::string, std::string, std::less<>> strings;
    for (const auto& [inner, index] : object.members) {
      const JsonValue& value = object.items[index];
      if (!value.is(JsonKind::string))
        reject_type(std::string(key) + "." + inner, value, needed<std::string>());
      strings.emplace(inner, value.text);
    }
    return strings;
  }

 private:
  Config(JsonValue object, std::string name) : name_(std::move(name)), object_(std::move(object)) {}

  Config as_object(std::string_view key, const JsonValue& value) const {
    if (!value.is(JsonKind::object)) reject_type(key, value, "an object");
    return {value, sentence(name_, ": ", key)};
  }

  const JsonValue* find(std::string_view key) const {
    const JsonValue* value = object_.find(key);
    return value && !value->is(JsonKind::null) ? value : nullptr;
  }

  const JsonValue& present(std::string_view key, std::string_view need) const {
    const JsonValue* value = find(key);
    if (!value) reject(name_, ": ", key, " is missing and must be ", need);
    return *value;
  }

  template <Setting T>
  T converted(std::string_view key, const JsonValue& value) const {
    const std::optional<T> result = as<T>(value);
    if (!result) reject_type(key, value, needed<T>());
    return *result;
  }

  template <Setting T>
  static std::optional<T> as(const JsonValue& value) {
    if constexpr (std::same_as<T, bool>) {
      if (value.is(JsonKind::boolean)) return value.truth;
    } else if constexpr (std::same_as<T, int>) {
      if (value.is(JsonKind::natural) && std::in_range<int>(value.natural))
        return static_cast<int>(value.natural);
      if (value.is(JsonKind::negative) && std::in_range<int>(value.negative))
        return static_cast<int>(value.negative);
    } else if constexpr (std::same_as<T, double>) {
      if (value.is(JsonKind::natural)) return static_cast<double>(value.natural);
      if (value.is(JsonKind::negative)) return static_cast<double>(value.negative);
      if (value.is(JsonKind::real) && std::isfinite(value.real)) return value.real;
    } else if constexpr (std::same_as<T, Unbounded>) {
      if (value.is(JsonKind::real) && std::isinf(value.real)) return Unbounded{value.real};
      if (const std::optional<double> finite = as<double>(value)) return Unbounded{*finite};
    } else {
      if (value.is(JsonKind::string)) return value.text;
    }
    return std::nullopt;
  }

  template <Setting T>
  static constexpr std::string_view needed() {
    if constexpr (std::same_as<T, bool>) return "true or false";
    if constexpr (std::same_as<T, int>) return "a whole number of 32 bits";
    if constexpr (std::same_as<T, double>) return "a finite number";
    if constexpr (std::same_as<T, Unbounded>) return "a number";
    return "a string";
  }

  [[noreturn]] void reject_type(std::string_view key, const JsonValue& value, std::string_view need) const {
    reject(name_, ": ", key, " is ", found(value), " and must be ", need);
  }

  std::string name_;
  JsonValue object_;
};

}  // namespace weft::inline v0_1
