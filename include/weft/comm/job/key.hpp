// Key: the shared key of a job's processes, and proofs of knowing it.
#pragma once

#include <sodium.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weft::inline v0_1::job {

namespace detail {

inline void start_sodium() {
  if (::sodium_init() < 0) throw std::runtime_error("libsodium cannot be started");
}

}  // namespace detail

/// Returns cryptographically random bytes.
[[nodiscard]] inline std::string random_bytes(std::size_t count) {
  detail::start_sodium();
  std::string out(count, '\0');
  ::randombytes_buf(out.data(), count);
  return out;
}

inline std::string hex(std::string_view bytes) {
  std::string out(2 * bytes.size() + 1, '\0');
  ::sodium_bin2hex(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                   bytes.size());
  out.pop_back();
  return out;
}

/// Compares in constant time.
inline bool is_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

class Key {
 public:
  static constexpr std::size_t proof_size = crypto_auth_hmacsha256_BYTES;

  /// Derives the key of a job from its name, which all its processes know, and a secret of any length.
  Key(std::string_view secret, std::string_view name) : Key(digest(secret, "weft job", {name})) {}

  [[nodiscard]] static Key random() { return Key(random_bytes(crypto_auth_hmacsha256_KEYBYTES)); }

  /// Returns nothing unless the text is what `hex_text` writes.
  [[nodiscard]] static std::optional<Key> from_hex(std::string_view text) {
    std::string bytes(crypto_auth_hmacsha256_KEYBYTES, '\0');
    std::size_t count = 0;
    const bool is_hex = ::sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                         text.data(), text.size(), nullptr, &count, nullptr) == 0;
    if (!is_hex || count != bytes.size() || text.size() != 2 * count) return std::nullopt;
    return Key(std::move(bytes));
  }
  std::string hex_text() const { return hex(bytes_); }

  /// Returns the HMAC-SHA256 (RFC 2104) of a purpose and of `parts`, each preceded by its length, so that no
  /// two inputs have the same proof.
  [[nodiscard]] std::string proof(std::string_view purpose,
                                  std::initializer_list<std::string_view> parts) const {
    return digest(bytes_, purpose, parts);
  }

 private:
  explicit Key(std::string bytes) : bytes_(std::move(bytes)) {}

  static std::string digest(std::string_view key, std::string_view purpose,
                            std::initializer_list<std::string_view> parts) {
    detail::start_sodium();
    crypto_auth_hmacsha256_state state;
    ::crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(key.data()), key.size());
    const auto add = [&state](std::string_view part) {
      std::array<unsigned char, 8> length{};
      for (std::size_t i = 0; i < length.size(); ++i)
        length[i] = static_cast<unsigned char>(part.size() >> 8 * i);
      ::crypto_auth_hmacsha256_update(&state, length.data(), length.size());
      ::crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                                      part.size());
    };
    add(purpose);
    for (const std::string_view part : parts) add(part);
    std::string out(proof_size, '\0');
    ::crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(out.data()));
    return out;
  }

  std::string bytes_;
};

}  // namespace weft::inline v0_1::job
