// Line: a TCP connection between two watchdogs, over which short words go whole and nobody waits.
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "weft/io/descriptor.hpp"

namespace weft {

/// What one watchdog tells another.
struct Word {
  enum Kind : std::uint8_t { hello, welcome, alive, failed, verdict, done } kind;
  std::uint8_t code = 0;  // to end with, of a failure and of a verdict
  std::string text{};
};

class Line {
 public:
  explicit Line(Descriptor socket = Descriptor()) : socket_(std::move(socket)) {
    if (socket_.get() < 0) return;
    ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  /// Not connected if nobody answers within `patience`.
  static Line to(const std::string& host, int port, std::chrono::milliseconds patience) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return Line();
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
    for (const addrinfo* at = found; at; at = at->ai_next) {
      Descriptor socket(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (::connect(socket.get(), at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) continue;
      pollfd ready{socket.get(), POLLOUT, 0};
      if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) continue;
      int error = 0;
      socklen_t size = sizeof error;
      if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return Line(std::move(socket));
    }
    return Line();
  }

  int descriptor() const { return socket_.get(); }
  bool is_open() const { return socket_.get() >= 0; }
  void close() { socket_.close(); }

  /// What does not fit into the connection's buffer is lost, and so is all that is said later: it fills when
  /// the other side does not listen any more.
  void say(const Word& word) {
    if (!is_open() || is_stuck_) return;
    const auto length = static_cast<std::uint16_t>(std::min<std::size_t>(word.text.size(), longest));
    std::string frame{static_cast<char>(word.kind), static_cast<char>(word.code),
                      static_cast<char>(length & 255), static_cast<char>(length >> 8)};
    frame.append(word.text, 0, length);
    const auto sent = ::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    is_stuck_ = sent != static_cast<ssize_t>(frame.size());
  }

  /// Calls heard(word) for all that has come, and closes when the other side has. Where heard(word) returns
  /// false, the rest is kept for the next call.
  template <class Heard>
  void hear(Heard heard) {
    char bytes[4096];
    ssize_t count = 0;
    while (is_open() && (count = ::recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
      coming_.append(bytes, static_cast<std::size_t>(count));
    const bool ended = count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    while (coming_.size() >= head) {
      const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(coming_[i]); };
      const std::size_t length = byte(2) + 256u * byte(3);
      if (coming_.size() < head + length) break;
      const Word word{static_cast<Word::Kind>(byte(0)), byte(1), coming_.substr(head, length)};
      coming_.erase(0, head + length);
      if (!heard(word)) return;
    }
    if (ended) close();
  }

 private:
  static constexpr std::size_t head = 4, longest = 8192;

  Descriptor socket_;
  std::string coming_;
  bool is_stuck_ = false;
};

}  // namespace weft
