// The handshake: how rank 0 and another process of its job prove to each other that they are of it. A
// challenge both ways: each sends 32 random bytes and proves by them that it knows the key.
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
#include <utility>

#include "weft/comm/job/key.hpp"
#include "weft/comm/job/message.hpp"

namespace weft::job {

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

/// The proof that a text is rank 0's, and the text.
inline Message sealed(const Key& key, std::string_view transcript, Message::Kind kind,
                      const std::string& text) {
  const char name = static_cast<char>(kind);
  return {kind, 0, key.proof("weft rank 0 says", {transcript, {&name, 1}, text}) + text};
}

}  // namespace detail

/// Rank 0's side, for one connection.
class Admission {
 public:
  explicit Admission(const Key& key) : key_(&key) {}

  enum class State { open, proved, failed };

  /// The answer to the next message, if one is due.
  std::optional<Message> take(const Message& message) {
    if (state_ == State::open && transcript_.empty() && message.kind == Message::Kind::hello)
      return challenge(message.text);
    state_ = state_ == State::open && !transcript_.empty() && message.kind == Message::Kind::proof &&
                     is_proof(message.text)
                 ? State::proved
                 : State::failed;
    return std::nullopt;
  }

  State state() const { return state_; }

  /// What the other side has proved, though it may be no rank of the job.
  std::uint32_t rank() const { return rank_; }
  const std::string& process() const { return process_; }

  /// Text for the other side, which has proved itself, that it can tell for rank 0's.
  Message sealed(Message::Kind kind, const std::string& text) const {
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
    if (hello[before - 1] != handshake_version) state_ = State::failed;  // the challenge tells it of ours
    return Message{Message::Kind::challenge, 0,
                   handshake_version + mine + key_->proof("weft rank 0", {transcript_})};
  }

  bool is_proof(std::string_view text) {
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

/// Another rank's side, for one connection.
class Introduction {
 public:
  Introduction(const Key& key, int rank)
      : key_(&key),
        transcript_(std::string(handshake_magic) + handshake_version +
                    detail::number_text(static_cast<std::uint32_t>(rank)) + random_bytes(random_size)) {}

  Message hello() const { return {Message::Kind::hello, 0, transcript_}; }

  /// The answer to a challenge, in which this process is called `process`; nothing if it is not rank 0's:
  /// `reason` says why.
  std::optional<Message> answer(const Message& challenge, std::string_view process) {
    const std::string_view text = challenge.text;
    if (challenge.kind != Message::Kind::challenge || text.size() != 1 + random_size + Key::proof_size) {
      reason_ = "does not speak weft's language";
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

  /// The text of a welcome or a rejection; nothing if it is not rank 0's.
  std::optional<std::string> opened(const Message& message) const {
    if (message.text.size() < Key::proof_size) return std::nullopt;
    std::string text = message.text.substr(Key::proof_size);
    if (!is_equal(message.text, detail::sealed(*key_, transcript_, message.kind, text).text))
      return std::nullopt;
    return text;
  }

  const std::string& reason() const { return reason_; }

 private:
  const Key* key_;
  std::string transcript_;
  std::string reason_;
};

}  // namespace weft::job
