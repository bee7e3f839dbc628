#include "weft/comm/job/message.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "weft/comm/job/connection.hpp"
#include "weft/comm/job/peer.hpp"
#include "weft/comm/job/printable.hpp"

using weft::job::frame_of;
using weft::job::Message;
using weft::job::MessageReader;
using weft::job::Peer;
using weft::job::printable;

namespace {

/// Gives the bytes to the reader, at most `step` at once, and returns the texts of all messages.
std::vector<std::string> texts_in(MessageReader& reader, std::string_view bytes, std::size_t step) {
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const auto room = reader.room();
    const std::size_t count = std::min({step, room.size(), bytes.size()});
    if (count == 0) return out;
    std::copy_n(bytes.begin(), count, room.begin());
    reader.add(count);
    bytes.remove_prefix(count);
    while (const auto message = reader.next()) out.push_back(message->text);
  }
  return out;
}

std::string frame(const std::string& text) { return frame_of({Message::Kind::heartbeat, 0, text}); }

}  // namespace

TEST_CASE("MessageReader: finds messages however their bytes are split") {
  const std::string bytes = frame("one") + frame("") + frame(std::string(256, 'x'));
  for (const std::size_t step : {1, 2, 3, 5, 100, 1000}) {
    MessageReader reader;
    CHECK(texts_in(reader, bytes, step) == std::vector<std::string>{"one", "", std::string(256, 'x')});
    CHECK_FALSE(reader.is_garbled());
  }
}

TEST_CASE("MessageReader: bytes that are too long, or of an unknown kind, are no message") {
  MessageReader reader;
  CHECK(texts_in(reader, frame(std::string(257, 'x')), 1).empty());
  CHECK(reader.is_garbled());
  for (const char kind : {'\0', '\x0a', '\xff'}) {
    MessageReader other;
    CHECK(texts_in(other, kind + frame("").substr(1), 4).empty());
    CHECK(other.is_garbled());
  }
}

TEST_CASE("MessageReader: accepts longer messages after `allow`, in memory for one") {
  MessageReader reader;
  reader.allow(weft::job::longest_text);
  const std::string text(20'000, 'x');
  CHECK(texts_in(reader, frame(text), 1000) == std::vector{text.substr(0, weft::job::longest_text)});
  CHECK(reader.room().size() == 4 + weft::job::longest_text);
}

TEST_CASE("MessageReader: the time for many messages is linear in their number") {
  const auto seconds = [](int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += frame("");
    MessageReader reader;
    reader.allow(weft::job::longest_text);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(texts_in(reader, bytes, bytes.size()).size() == static_cast<std::size_t>(count));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  CHECK(seconds(400'000) < 20 * seconds(100'000));
}

TEST_CASE("Peer: only rank 0 sends verdicts, only others report failures, and no code is 0") {
  const auto taken = [](int from, Message::Kind kind, std::uint8_t code) {
    Peer peer({from, "", weft::job::Connection()});
    return peer.take({kind, code, "why"}, {});
  };
  CHECK_FALSE(taken(1, Message::Kind::verdict, 1));
  CHECK_FALSE(taken(0, Message::Kind::failed, 1));
  REQUIRE(taken(0, Message::Kind::verdict, 0));
  CHECK(taken(0, Message::Kind::verdict, 0)->code == 1);
  CHECK(taken(0, Message::Kind::verdict, 2)->code == 2);
  REQUIRE(taken(1, Message::Kind::failed, 0));
  CHECK(taken(1, Message::Kind::failed, 0)->code == 1);
  CHECK(taken(1, Message::Kind::failed, 143)->sentence == "why");
  for (const auto kind :
       {Message::Kind::hello, Message::Kind::welcome, Message::Kind::heartbeat, Message::Kind::done})
    CHECK_FALSE(taken(1, kind, 9));
}

TEST_CASE("printable: keeps text and escapes control characters") {
  CHECK(printable("rank 1: größer als ∞ 🙂") == "rank 1: größer als ∞ 🙂");
  CHECK(printable("\33[2Ja\rb\nc\7\x7f") == "\\x1b[2Ja\\x0db\\x0ac\\x07\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");                                        // CSI, as one character
  CHECK(printable("\x9b\xff\xc0\xaf\xe2\x88") == "\\x9b\\xff\\xc0\\xaf\\xe2\\x88");  // no UTF-8
  CHECK(printable("\xed\xa0\x80\xf4\x90\x80\x80") == "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
  CHECK(printable(std::string("a\0b", 3)) == "a\\x00b");
}
