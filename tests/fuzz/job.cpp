// Bytes from an unauthenticated connection admit no process, end none with exit code 0 and reach no terminal
// unescaped. The first byte chooses the receiver: see the switch.
#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "weft/comm/job/handshake.hpp"
#include "weft/comm/job/message.hpp"
#include "weft/comm/job/peer.hpp"
#include "weft/comm/job/printable.hpp"
#include "weft/comm/job/rendezvous_info.hpp"

namespace {

using namespace weft::job;

const Key& key() {
  static const Key key = Key::random();
  return key;
}

void require(bool holds) {
  if (!holds) __builtin_trap();
}

/// Calls take(message) for all messages in the bytes, which arrive in pieces.
template <class Take>
void read(std::string_view bytes, std::size_t longest, const Take& take) {
  MessageReader reader;
  reader.allow(longest);
  for (std::size_t piece = 1; !bytes.empty() && !reader.is_garbled(); piece = piece % 7 + 1) {
    const std::span<char> room = reader.room();
    require(!room.empty() && room.size() <= 4 + longest);
    const std::size_t count = std::min({piece * 5, room.size(), bytes.size()});
    std::copy_n(bytes.begin(), count, room.begin());
    reader.add(count);
    bytes.remove_prefix(count);
    while (const auto message = reader.next()) {
      require(message->text.size() <= longest);
      take(*message);
    }
  }
}

/// Sends the bytes to rank 0 from a process without the key.
void at_rank_0(std::string_view bytes) {
  ServerHandshake server(key());
  int answers = 0;
  read(bytes, longest_unauthenticated_text, [&](const Message& message) {
    if (server.state() == ServerHandshake::State::open) answers += server.take(message).has_value();
  });
  require(answers <= 1 && server.state() != ServerHandshake::State::proved);
}

/// Sends the bytes to a rank from a server without the key.
void at_a_rank(std::string_view bytes) {
  ClientHandshake client(key(), 1);
  bool is_first = true;
  read(bytes, longest_unauthenticated_text, [&](const Message& message) {
    if (is_first) require(!client.answer(message, "process 1 on host"));
    require(!client.opened(message));
    is_first = false;
  });
}

/// Sends the bytes to a watchdog from an authenticated process.
void at_a_watchdog(std::string_view bytes, int rank) {
  Peer peer(RemoteProcess{.rank = rank});
  read(bytes, longest_text, [&](const Message& message) {
    const auto failure = peer.take(message, {});
    if (!failure) return;
    require(failure->code >= 1 && failure->code <= 255);
    require(message.kind == (rank == 0 ? Message::Kind::verdict : Message::Kind::failed));
  });
  require(rank != 0 || !peer.is_done);
}

/// Changes one message of a handshake between two sides that know the key.
void between(std::string_view bytes) {
  if (bytes.size() < 2) return;
  ServerHandshake server(key());
  ClientHandshake client(key(), 1);
  const auto tamper = [at = static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])),
                       by = bytes[1]](Message message) {
    if (!message.text.empty()) message.text[at % message.text.size()] ^= by;
    return message;
  };
  const Message hello = client.hello();
  const auto challenge = server.take(bytes.size() % 3 == 0 ? tamper(hello) : hello);
  if (!challenge) return;
  const auto proof = client.answer(bytes.size() % 3 == 1 ? tamper(*challenge) : *challenge, "process 1");
  require(proof.has_value() == (bytes[1] == 0 || bytes.size() % 3 == 2));
  if (!proof) return;
  (void)server.take(bytes.size() % 3 == 2 ? tamper(*proof) : *proof);
  require((server.state() == ServerHandshake::State::proved) == (bytes[1] == 0));
}

void on_a_terminal(std::string_view bytes) {
  const std::string text = printable(bytes);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    require(byte >= 0x20 && byte != 0x7F);
    require(byte != 0xC2 || static_cast<unsigned char>(text.at(i + 1)) >= 0xA0);
  }
  require(printable(text) == text);
}

void over_mpi(std::string_view bytes) {
  try {
    const RendezvousInfo info = RendezvousInfo::parse(std::string(bytes));
    require(!info.endpoints.empty());
    for (const Endpoint& place : info.endpoints)
      require(place.is_local() || (!place.host.empty() && place.port >= 1 && place.port <= 65535));
  } catch (const std::runtime_error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case '0':
      at_rank_0(bytes);
      break;
    case '1':
      at_a_rank(bytes);
      break;
    case '2':
      at_a_watchdog(bytes, 0);
      break;
    case '3':
      at_a_watchdog(bytes, 1);
      break;
    case '4':
      between(bytes);
      break;
    case '5':
      on_a_terminal(bytes);
      break;
    case '6':
      over_mpi(bytes);
      break;
  }
  return 0;
}
