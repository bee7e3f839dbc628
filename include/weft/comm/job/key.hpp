// Key: what the processes of a job know and others do not, and the proofs of knowing it.
#pragma once

#include <sodium.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weft::job {

namespace detail {

inline void start_sodium() {
  if (::sodium_init() < 0) throw std::runtime_error("libsodium cannot be started");
}

}  // namespace detail

/// Bytes that nobody can guess.
inline std::string random_bytes(std::size_t count) {
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

/// Compares in a time that does not depend on where they differ.
inline bool is_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

class Key {
 public:
  static constexpr std::size_t proof_size = crypto_auth_hmacsha256_BYTES;

  /// Of a job that is called `name`, by all its processes, and has this secret, of any length.
  Key(std::string_view secret, std::string_view name) : Key(digest(secret, "weft job", {name})) {}

  static Key random() { return Key(random_bytes(crypto_auth_hmacsha256_KEYBYTES)); }

  /// Nothing if it is not what `hex_text` gives.
  static std::optional<Key> from_hex(std::string_view text) {
    std::string bytes(crypto_auth_hmacsha256_KEYBYTES, '\0');
    std::size_t count = 0;
    const bool is_hex = ::sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                         text.data(), text.size(), nullptr, &count, nullptr) == 0;
    if (!is_hex || count != bytes.size() || text.size() != 2 * count) return std::nullopt;
    return Key(std::move(bytes));
  }
  std::string hex_text() const { return hex(bytes_); }

  /// HMAC-SHA256 (RFC 2104) of a purpose and of what is to be proved, each with its length before it, so that
  /// no proof is one of anything else.
  std::string proof(std::string_view purpose, std::initializer_list<std::string_view> parts) const {
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

}  // namespace weft::job
