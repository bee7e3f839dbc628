// The handshake by which rank 0 and another process of its job authenticate each other: a challenge and a
// response both ways. Each side sends 32 random bytes, and the other proves on them that it knows the key.
//
//   rank r → rank 0   hello       magic, version, r, r's random bytes
//   rank 0 → rank r   challenge   version, rank 0's random bytes, proof of rank 0
//   rank r → rank 0   proof       proof of rank r, the name of its process
//   rank 0 → rank r   welcome or rejection, sealed: a proof of the text, the text
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weft/comm/job/key.hpp"
#include "weft/comm/job/message.hpp"

namespace weft::inline v0_1::job {

constexpr std::string_view handshake_magic = "weft";
constexpr char handshake_version = 1;
constexpr std::size_t random_size = 32;  // of each side's random bytes
constexpr std::size_t longest_process_name = 128;

namespace detail {

inline std::string number_text(std::uint32_t number) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(number >> 8 * i & 255);
  return out;
}

inline std::uint32_t number_in(std::string_view four) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out |= std::uint32_t{static_cast<std::uint8_t>(four[i])} << 8 * i;
  return out;
}

/// Returns a message of rank 0: a proof that the text is rank 0's, then the text.
inline Message sealed(const Key& key, std::string_view transcript, Message::Kind kind,
                      const std::string& text) {
  const char name = static_cast<char>(kind);
  return {kind, 0, key.proof("weft rank 0 says", {transcript, {&name, 1}, text}) + text};
}

}  // namespace detail

/// Rank 0's side of one connection. The key must outlive it.
class ServerHandshake {
 public:
  explicit ServerHandshake(const Key& key) : key_(&key) {}

  enum class State { open, proved, failed };

  /// Receives the next message, and returns the answer to it if there is one.
  [[nodiscard]] std::optional<Message> take(const Message& message) {
    if (state_ == State::open && transcript_.empty() && message.kind == Message::Kind::hello)
      return challenge(message.text);
    const bool expects_proof = state_ == State::open && !transcript_.empty();
    state_ = State::failed;
    if (expects_proof && message.kind == Message::Kind::proof && verify(message.text)) state_ = State::proved;
    return std::nullopt;
  }

  State state() const { return state_; }

  /// The rank that the other side claims, which may be out of the job's range.
  std::uint32_t rank() const { return rank_; }
  const std::string& process() const { return process_; }

  /// Returns a message for the other side, which has proved itself, with a proof that it comes from rank 0.
  [[nodiscard]] Message sealed(Message::Kind kind, const std::string& text) const {
    return detail::sealed(*key_, transcript_, kind, text);
  }

 private:
  std::optional<Message> challenge(const std::string& hello) {
    constexpr std::size_t before = handshake_magic.size() + 1, size = before + 4 + random_size;
    if (hello.size() != size || !hello.starts_with(handshake_magic)) {
      state_ = State::failed;
      return std::nullopt;
    }
    rank_ = detail::number_in(std::string_view(hello).substr(before));
    const std::string mine = random_bytes(random_size);
    transcript_ = hello + mine;
    if (hello[before - 1] != handshake_version) state_ = State::failed;  // the challenge names this side's
    return Message{Message::Kind::challenge, 0,
                   handshake_version + mine + key_->proof("weft rank 0", {transcript_})};
  }

  /// Returns whether the text proves that its sender knows the key; keeps the sender's name.
  bool verify(std::string_view text) {
    if (text.size() < Key::proof_size || text.size() > Key::proof_size + longest_process_name) return false;
    process_ = text.substr(Key::proof_size);
    return is_equal(text.substr(0, Key::proof_size), key_->proof("weft rank", {transcript_, process_}));
  }

  const Key* key_;
  State state_ = State::open;
  std::string transcript_;  // hello and rank 0's random bytes
  std::uint32_t rank_ = 0;
  std::string process_;
};

/// Another rank's side of one connection. The key must outlive it.
class ClientHandshake {
 public:
  ClientHandshake(const Key& key, int rank)
      : key_(&key),
        transcript_(std::string(handshake_magic) + handshake_version +
                    detail::number_text(static_cast<std::uint32_t>(rank)) + random_bytes(random_size)) {}

  [[nodiscard]] Message hello() const { return {Message::Kind::hello, 0, transcript_}; }

  /// Returns the proof that answers a challenge and names this process `process`; nothing, with a `reason`,
  /// if the challenge is not rank 0's.
  [[nodiscard]] std::optional<Message> answer(const Message& challenge, std::string_view process) {
    const std::string_view text = challenge.text;
    if (challenge.kind != Message::Kind::challenge || text.size() != 1 + random_size + Key::proof_size) {
      reason_ = "does not speak weft's protocol";
      return std::nullopt;
    }
    if (text.front() != handshake_version) {
      reason_ = "is of another version of weft";
      return std::nullopt;
    }
    transcript_ += text.substr(1, random_size);
    if (!is_equal(text.substr(1 + random_size), key_->proof("weft rank 0", {transcript_}))) {
      reason_ = "does not know the secret of this job";
      return std::nullopt;
    }
    process = process.substr(0, longest_process_name);
    return Message{Message::Kind::proof, 0, key_->proof("weft rank", {transcript_, process}).append(process)};
  }

  /// Returns the text of a welcome or a rejection; nothing if it does not come from rank 0.
  [[nodiscard]] std::optional<std::string> opened(const Message& message) const {
    if (message.text.size() < Key::proof_size) return std::nullopt;
    std::string text = message.text.substr(Key::proof_size);
    if (!is_equal(message.text, detail::sealed(*key_, transcript_, message.kind, text).text))
      return std::nullopt;
    return text;
  }

  /// Why `answer` returned nothing, as the predicate of a sentence.
  const std::string& reason() const { return reason_; }

 private:
  const Key* key_;
  std::string transcript_;
  std::string reason_;
};

}  // namespace weft::inline v0_1::job
