// Checks of option values.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <string>
#include <type_traits>

#include "weft/core/error.hpp"

namespace command {

/// Returns the number that is the whole text, or nothing.
template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Returns a validator that accepts numbers from `least` to `most`.
template <class Number>
CLI::Validator between(Number least, Number most) {
  const auto validate = [=](std::string& text) {
    const std::optional<Number> value = number_in<Number>(text);
    if (value && least <= *value && *value <= most) return std::string();
    return weft::sentence(
        text, std::is_integral_v<Number> ? " is not a whole number from " : " is not a number from ", least,
        " to ", most);
  };
  return CLI::Validator(validate, "");
}

/// Returns a validator that accepts every `Number`; the range is checked where it is known.
template <class Number>
CLI::Validator any(const char* description) {
  const auto validate = [description](std::string& text) {
    return number_in<Number>(text) ? std::string() : weft::sentence(text, " is not a ", description);
  };
  return CLI::Validator(validate, "");
}

}  // namespace command
