// Listener: rank 0's socket, to which the other processes of its job connect.
#pragma once

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "weft/comm/job/endpoint.hpp"
#include "weft/core/error.hpp"
#include "weft/io/descriptor.hpp"

namespace weft::inline v0_1::job {

class Listener {
 public:
  /// Listens at the first of the endpoints that is free, on its address alone. Throws InvalidArgument if the
  /// address is not one of this host's, std::runtime_error if no endpoint is free.
  explicit Listener(const std::vector<Endpoint>& endpoints) {
    std::string foreign;
    for (const Endpoint& endpoint : endpoints) {
      for (const Address& address : endpoint.addresses()) {
        if (try_to_bind(address)) {
          endpoints_ = {endpoint.is_local() ? endpoint
                                            : Endpoint{.host = address.host(), .port = bound_port()}};
          return;
        }
        if (errno == EADDRNOTAVAIL) foreign = address.host();
      }
    }
    if (!foreign.empty())
      reject("rank 0 is to listen at ", endpoints.front().host,
             ", and no interface of its host has the address ", foreign,
             "; MASTER_ADDR must name the host of rank 0");
    if (!endpoints.front().is_local() && endpoints.front().addresses().empty())
      reject("rank 0 is to listen at ", endpoints.front().host,
             ", which is no host that it knows; MASTER_ADDR ", "must name the host of rank 0");
    throw std::runtime_error(sentence("rank 0 cannot listen for the others: neither ",
                                      endpoints.front().text(), ", nor the last, ", endpoints.back().text(),
                                      ", is free"));
  }

  /// Listens on a free port of all interfaces, for processes to which MPI carries the endpoints.
  [[nodiscard]] static Listener on_all_interfaces() { return Listener(); }

  /// Returns the endpoints at which others reach it: one, or one for each interface.
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  int descriptor() const { return socket_.get(); }

  /// Accepts the next connection without waiting; returns no socket, with errno, if there is none. A Unix
  /// socket's connection from another user's process is closed at once: then no socket is returned and errno
  /// is 0.
  [[nodiscard]] Descriptor accept() const {
    errno = 0;
    Descriptor socket(::accept4(descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.get() < 0 || !endpoints_.front().is_local() || is_same_user(socket.get())) return socket;
    errno = 0;
    return Descriptor();
  }

 private:
  Listener() {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    if (!try_to_bind(address_of(six)) && !try_to_bind(address_of(four)))  // a host may lack IPv6
      throw std::system_error(errno, std::generic_category(), "rank 0 cannot listen for the other ranks");
    const int port = bound_port();
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0)
      throw std::system_error(errno, std::generic_category(), "listing interfaces");
    for (const ifaddrs* at = all; at; at = at->ifa_next) {
      if (!at->ifa_addr) continue;
      const int family = at->ifa_addr->sa_family;
      if (family == AF_INET) add_interface(reinterpret_cast<const sockaddr_in&>(*at->ifa_addr), port);
      if (family == AF_INET6) add_interface(reinterpret_cast<const sockaddr_in6&>(*at->ifa_addr), port);
    }
    ::freeifaddrs(all);
    std::stable_partition(endpoints_.begin(), endpoints_.end(),
                          [](const Endpoint& one) { return !one.addresses().front().is_loopback(); });
  }

  template <class SocketAddress>
  static Address address_of(const SocketAddress& one) {
    Address out;
    out.size = sizeof one;
    std::memcpy(&out.storage, &one, sizeof one);
    return out;
  }

  /// Adds an interface's endpoint, unless its address has a scope that only this host understands.
  template <class SocketAddress>
  void add_interface(const SocketAddress& one, int port) {
    const std::string host = address_of(one).host();
    if (host.find('%') == std::string::npos) endpoints_.push_back({.host = host, .port = port});
  }

  /// Returns false, with errno, if another process listens there or the address is not this host's.
  bool try_to_bind(const Address& address) {
    socket_ = Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1, off = 0;
    ::setsockopt(descriptor(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (address.family() != AF_UNIX) ::setsockopt(descriptor(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return ::bind(descriptor(), address.get(), address.size) == 0 && ::listen(descriptor(), SOMAXCONN) == 0;
  }

  int bound_port() const {
    Address bound;
    bound.size = sizeof bound.storage;
    ::getsockname(descriptor(), bound.get(), &bound.size);
    return ntohs(reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);  // in the same place for IPv6
  }

  Descriptor socket_;
  std::vector<Endpoint> endpoints_;
};

}  // namespace weft::inline v0_1::job
