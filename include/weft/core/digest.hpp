// Digest: 64 bits that tell contents apart, the same in every process and on every machine.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "weft/core/tensor.hpp"

namespace weft {

/// Reads eight bytes at a time in four lanes, by the rounds of Collet's xxHash64, whose values it does not
/// reproduce. Against accidents, not against attackers.
class Digest {
 public:
  /// Adds bytes; their boundaries count, so that "ab" and "c" differ from "a" and "bc".
  void add(std::span<const std::byte> bytes) {
    std::array<std::uint64_t, 4> lanes{first, second, first ^ second, ~first};
    const std::byte* next = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= sizeof lanes; next += sizeof lanes, left -= sizeof lanes) {
      std::uint64_t words[4];
      std::memcpy(words, next, sizeof words);
      for (int lane = 0; lane < 4; ++lane) lanes[lane] = mixed(lanes[lane], words[lane]);
    }
    for (const std::uint64_t lane : lanes) value_ = mixed(value_, lane);
    for (std::size_t size = 0; left > 0; next += size, left -= size) {
      std::uint64_t word = 0;  // the last few bytes and zeros
      size = std::min(left, sizeof word);
      std::memcpy(&word, next, size);
      value_ = mixed(value_, word);
    }
    value_ = mixed(value_, bytes.size());
  }

  std::uint64_t value() const {
    std::uint64_t out = value_;
    out = (out ^ out >> 33) * second;
    out = (out ^ out >> 29) * first;
    return out ^ out >> 32;
  }

 private:
  static constexpr std::uint64_t first = 0x9E3779B185EBCA87u, second = 0xC2B2AE3D27D4EB4Fu;

  static constexpr std::uint64_t mixed(std::uint64_t state, std::uint64_t word) {
    return std::rotl(state + word * second, 31) * first;
  }

  std::uint64_t value_ = first;
};

template <class T>
requires std::is_arithmetic_v<T> || std::is_enum_v<T>
void add_to(Digest& digest, const T& value) { digest.add(std::as_bytes(std::span(&value, 1))); }

inline void add_to(Digest& digest, std::string_view text) { digest.add(std::as_bytes(std::span(text))); }

inline void add_to(Digest& digest, const Tensor& tensor) {
  digest.add(std::as_bytes(std::span(tensor.shape)));
  digest.add(std::as_bytes(std::span(tensor.data)));
}

/// What a digest can be taken of: numbers, texts, tensors, and every type with an `add_to` beside it.
template <class T>
concept Digestible = requires(Digest& digest, const T& value) {
  add_to(digest, value);
};

/// Of all of these, in this order.
template <Digestible... Values>
std::uint64_t digest_of(const Values&... values) {
  Digest digest;
  (add_to(digest, values), ...);
  return digest.value();
}

}  // namespace weft
