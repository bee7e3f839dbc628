// The memory of keys that attention in int8 copies.
#pragma once

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// Attention over fewer keys stays in 16 bits: there quantizing would cost more than it gains.
inline constexpr Index least_int8_keys = 1024;

/// The bytes of a key: features, in an order that suits queries in registers, and zeros.
inline constexpr int int8_key_bytes = 128;
inline constexpr int int8_scale_keys = 32;  // that share a float32 scale

/// Returns the scales of so many keys of a head: those of whole groups, since tiles read all of theirs.
constexpr Index int8_scales(Index keys) {
  constexpr Index group = 12;  // those of three tiles of 128 keys, or four of 96
  return (keys + group * int8_scale_keys - 1) / (group * int8_scale_keys) * group;
}

/// Returns the bytes of so many keys of `heads` heads of all images, and of their scales.
constexpr Index int8_keys_bytes(Index keys, Index heads) {
  return heads * (keys * int8_key_bytes + int8_scales(keys) * static_cast<Index>(sizeof(float)));
}

}  // namespace weft::inline v0_1
