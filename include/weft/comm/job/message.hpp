// Message: a message between processes of a job, and its frame in the bytes of a connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weft::inline v0_1::job {

/// Framed as kind and code, a byte each, the text's length in two bytes, low byte first, and the text.
struct Message {
  enum class Kind : std::uint8_t {
    hello = 1,
    challenge,
    proof,
    welcome,
    rejection,
    heartbeat,
    failed,
    verdict,
    done
  };

  Kind kind;
  std::uint8_t code = 0;  // the exit code, in `failed` and `verdict`
  std::string text{};
};

constexpr std::size_t longest_text = 8192;                 // of a message; longer ones are cut
constexpr std::size_t longest_unauthenticated_text = 256;  // until the other side has proved who it is

inline std::string frame_of(const Message& message) {
  const std::size_t length = std::min(message.text.size(), longest_text);
  std::string frame{static_cast<char>(message.kind), static_cast<char>(message.code),
                    static_cast<char>(length & 255), static_cast<char>(length >> 8)};
  return frame.append(message.text, 0, length);
}

/// Splits a stream of bytes into messages, in a buffer of one frame.
class MessageReader {
 public:
  explicit MessageReader(std::size_t longest = longest_unauthenticated_text) { allow(longest); }

  /// Accepts texts of up to `longest` bytes from now on.
  void allow(std::size_t longest) {
    longest_ = longest;
    bytes_.resize(std::max(bytes_.size(), head + longest));
  }

  /// Returns where the next bytes go; empty while a complete message fills the buffer.
  [[nodiscard]] std::span<char> room() {
    std::copy(bytes_.begin() + begin_, bytes_.begin() + end_, bytes_.begin());
    end_ -= std::exchange(begin_, 0);
    return {bytes_.data() + end_, bytes_.size() - static_cast<std::size_t>(end_)};
  }

  /// Counts `count` bytes that were written to `room`.
  void add(std::size_t count) { end_ += static_cast<std::ptrdiff_t>(count); }

  /// Returns the next message; nothing if it is incomplete or `is_garbled`.
  [[nodiscard]] std::optional<Message> next() {
    if (is_garbled_ || end_ - begin_ < std::ptrdiff_t{head}) return std::nullopt;
    const auto byte = [this](std::ptrdiff_t i) {
      return static_cast<std::uint8_t>(bytes_[static_cast<std::size_t>(begin_ + i)]);
    };
    const std::ptrdiff_t length = byte(2) + 256 * byte(3);
    is_garbled_ = length > static_cast<std::ptrdiff_t>(longest_) || byte(0) < first || byte(0) > last;
    if (is_garbled_ || end_ - begin_ < std::ptrdiff_t{head} + length) return std::nullopt;
    const auto text = bytes_.begin() + begin_ + std::ptrdiff_t{head};
    Message message{static_cast<Message::Kind>(byte(0)), byte(1), std::string(text, text + length)};
    begin_ += std::ptrdiff_t{head} + length;
    return message;
  }

  /// Returns whether the bytes are no message: of an unknown kind, or too long.
  bool is_garbled() const { return is_garbled_; }

 private:
  static constexpr std::size_t head = 4;
  static constexpr auto first = static_cast<std::uint8_t>(Message::Kind::hello),
                        last = static_cast<std::uint8_t>(Message::Kind::done);

  std::size_t longest_ = 0;
  std::vector<char> bytes_;
  std::ptrdiff_t begin_ = 0, end_ = 0;  // of the bytes that were not returned yet
  bool is_garbled_ = false;
};

}  // namespace weft::inline v0_1::job
