// Settings of models, checked as they are read.
#pragma once

#include <string_view>

#include "weft/core/range.hpp"
#include "weft/io/json.hpp"

namespace weft::inline v0_1 {

/// Returns the size at `key`. Throws InvalidArgument unless it is from 1 to 2^20, so that no product of a few
/// overflows.
inline Index positive(const Config& config, std::string_view key) {
  constexpr int largest = 1 << 20;
  const int value = config.required<int>(key);
  if (value < 1) reject(config.name(), ": ", key, " is ", value, " and must be at least 1");
  if (value > largest) reject(config.name(), ": ", key, " is ", value, " and must be at most ", largest);
  return value;
}

/// The same, or `fallback` where there is no such key.
inline Index positive(const Config& config, std::string_view key, Index fallback) {
  return config.has(key) ? positive(config, key) : fallback;
}

/// Throws InvalidArgument unless the setting at `key` is absent or `only`, the one value that the model has.
template <Setting T>
void expect_setting(const Config& config, std::string_view key, const T& only) {
  const T value = config.optional<T>(key, only);
  if (value != only) reject(config.name(), ": ", key, " is ", value, ", and this model has ", only, " alone");
}

}  // namespace weft::inline v0_1
