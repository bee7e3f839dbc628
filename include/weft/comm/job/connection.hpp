// Connection: a non-blocking stream socket between two processes of a job that carries whole messages.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "weft/comm/job/message.hpp"
#include "weft/io/descriptor.hpp"

namespace weft::inline v0_1::job {

/// Used by one thread at a time.
class Connection {
 public:
  explicit Connection(Descriptor socket = Descriptor()) : socket_(std::move(socket)) {
    if (!is_open()) return;
    ::fcntl(descriptor(), F_SETFL, O_NONBLOCK);
    const int on = 1;
    ::setsockopt(descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // not for Unix sockets
  }

  int descriptor() const { return socket_.get(); }
  bool is_open() const { return socket_.get() >= 0; }
  void close() { socket_.close(); }

  /// Accepts messages of full length from now on. Called when the other side has proved who it is.
  void trust() { reader_.allow(longest_text); }

  /// Drops the message, and all later ones, if the send buffer is full: then the other side no longer reads.
  void send(const Message& message) {
    if (!is_open() || is_stuck_) return;
    const std::string frame = frame_of(message);
    const auto sent = ::send(descriptor(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    is_stuck_ = sent != static_cast<ssize_t>(frame.size());
  }

  /// Receives once, without waiting, at most as much as a buffer of one message holds; closes if the other
  /// side has closed. Messages that were received before remain available.
  void receive() {
    const auto room = reader_.room();
    if (!is_open() || room.empty()) return;
    const auto count = ::recv(descriptor(), room.data(), room.size(), MSG_DONTWAIT);
    if (count > 0)
      reader_.add(static_cast<std::size_t>(count));
    else if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
      close();
  }

  /// Returns the next complete message that was received, or nothing. Closes the connection at bytes that are
  /// no message.
  [[nodiscard]] std::optional<Message> next() {
    std::optional<Message> message = reader_.next();
    if (reader_.is_garbled()) close();
    return message;
  }

  bool is_garbled() const { return reader_.is_garbled(); }

  /// Waits until bytes have arrived, the other side has closed, or `patience` is over.
  void wait(std::chrono::milliseconds patience) const {
    pollfd ready{descriptor(), POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(patience.count()));
  }

 private:
  Descriptor socket_;
  MessageReader reader_;
  bool is_stuck_ = false;
};

}  // namespace weft::inline v0_1::job
