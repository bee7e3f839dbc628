// Endpoint: where rank 0 listens for the other processes of its job.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/descriptor.hpp"

namespace weft::inline v0_1::job {

/// A socket's address, of any family.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }

  bool is_loopback() const {
    const auto& four = reinterpret_cast<const sockaddr_in&>(storage).sin_addr;
    const auto& six = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
    return family() == AF_INET ? ntohl(four.s_addr) >> 24 == 127
                               : family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six) != 0;
  }

  /// Returns a network address as text, such as "10.0.0.5" or "fd00::5".
  std::string host() const {
    std::array<char, NI_MAXHOST> text{};
    ::getnameinfo(get(), size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    return text.data();
  }
};

/// A Unix-domain socket, or a host and port, IPv4 or IPv6.
struct Endpoint {
  std::string socket{};  // name of an abstract Unix-domain socket; empty for an endpoint on the network
  std::string host{};
  int port = 0;

  bool is_local() const { return !socket.empty(); }

  std::string text() const { return is_local() ? "Unix socket @" + socket : sentence(host, ", port ", port); }

  /// Returns all its addresses, loopback ones last; none if the host's name is unknown.
  std::vector<Address> addresses() const {
    if (is_local()) return {local_address()};
    std::vector<Address> out;
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return out;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
    for (const addrinfo* at = found; at; at = at->ai_next) {
      Address& address = out.emplace_back();
      address.size = at->ai_addrlen;
      std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    }
    std::stable_partition(out.begin(), out.end(),
                          [](const Address& address) { return !address.is_loopback(); });
    return out;
  }

 private:
  /// Returns an abstract address: it has no file and disappears with its socket.
  Address local_address() const {
    sockaddr_un named{};
    named.sun_family = AF_UNIX;
    const std::size_t length = std::min(socket.size(), sizeof named.sun_path - 1);
    std::memcpy(named.sun_path + 1, socket.data(), length);
    Address out;
    out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
    std::memcpy(&out.storage, &named, out.size);
    return out;
  }
};

/// Returns whether the process at the other end of a Unix socket runs for the user of this one.
inline bool is_same_user(int socket) {
  ucred other{};
  socklen_t size = sizeof other;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &other, &size) == 0 && other.uid == ::geteuid();
}

/// Connects to the address, and over a Unix socket only to a process of the same user; returns no socket if
/// that fails within `patience`.
[[nodiscard]] inline Descriptor connected(const Address& address, std::chrono::milliseconds patience) {
  Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), address.get(), address.size) != 0) {
    if (errno != EINPROGRESS) return Descriptor();
    pollfd ready{socket.get(), POLLOUT, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) return Descriptor();
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
      return Descriptor();
  }
  if (address.family() == AF_UNIX && !is_same_user(socket.get())) return Descriptor();
  return socket;
}

}  // namespace weft::inline v0_1::job
