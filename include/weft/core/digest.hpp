// Digest: a 64-bit hash of contents, the same in every process and on every machine.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "weft/core/spans.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

/// A hash by the rounds of Collet's xxHash64, whose values it does not reproduce: four streams of eight bytes
/// at a time. It detects accidental differences, not forged ones.
class Digest {
 public:
  /// Adds bytes. Boundaries between calls count: "ab" and "c" differ from "a" and "bc".
  void add(std::span<const std::byte> bytes) {
    std::array<std::uint64_t, 4> streams{first, second, first ^ second, ~first};
    std::span<const std::byte> rest = bytes;
    while (rest.size() >= sizeof streams) {
      std::array<std::uint64_t, 4> words;
      std::memcpy(words.data(), rest.data(), sizeof words);
      for (std::size_t i = 0; i < words.size(); ++i) streams[i] = mixed(streams[i], words[i]);
      rest = rest.subspan(sizeof words);
    }
    for (const std::uint64_t stream : streams) value_ = mixed(value_, stream);
    while (!rest.empty()) {
      std::uint64_t word = 0;  // zeros stand behind the last bytes
      const std::size_t size = std::min(rest.size(), sizeof word);
      std::memcpy(&word, rest.data(), size);
      value_ = mixed(value_, word);
      rest = rest.subspan(size);
    }
    value_ = mixed(value_, bytes.size());
  }

  /// Returns the digest of everything that was added.
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
void add_to(Digest& digest, const T& value) { digest.add(std::as_bytes(std::span<const T>(&value, 1))); }

inline void add_to(Digest& digest, std::string_view text) { digest.add(bytes_of(text)); }

inline void add_to(Digest& digest, const Tensor& tensor) {
  digest.add(bytes_of(tensor.shape));
  digest.add(bytes_of(tensor.data));
}

/// A type that can be hashed: numbers, text, tensors, and every type with an `add_to` in its namespace.
template <class T>
concept Digestible = requires(Digest& digest, const T& value) {
  add_to(digest, value);
};

/// Returns the digest of all values, in this order.
template <Digestible... Values>
std::uint64_t digest_of(const Values&... values) {
  Digest digest;
  (add_to(digest, values), ...);
  return digest.value();
}

}  // namespace weft::inline v0_1
