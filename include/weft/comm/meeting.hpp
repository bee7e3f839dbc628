// Meeting: where the processes of a job find rank 0.
#pragma once

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "weft/io/descriptor.hpp"

namespace weft {

inline std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// What a process must know to reach rank 0. Every launcher carries it in its own way: MPI broadcasts the
/// text, others agree on a port and a token beforehand.
struct Meeting {
  std::uint64_t token = 0;  // tells the job's processes from strangers
  int port = 0;
  std::vector<std::string> addresses;  // of rank 0's host, to be tried in order

  std::string text() const {
    std::ostringstream out;
    out << token << ' ' << port;
    for (const std::string& address : addresses) out << ' ' << address;
    return out.str();
  }

  static Meeting in(const std::string& text) {
    std::istringstream words(text);
    Meeting out;
    words >> out.token >> out.port;
    for (std::string address; words >> address;) out.addresses.push_back(address);
    return out;
  }
};

/// Rank 0's side: a socket that listens from its construction on.
class Door {
 public:
  /// On any free port, with a token that nobody can guess.
  Door() : Door(0, random_token()) {}
  Door(int port, std::uint64_t token) {
    socket_ = Descriptor(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1, off = 0;
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6, six.sin6_port = htons(static_cast<std::uint16_t>(port));
    ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&six), sizeof six) != 0) {  // a host without IPv6
      sockaddr_in four{};
      four.sin_family = AF_INET, four.sin_port = six.sin6_port;
      socket_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&four), sizeof four) != 0) fail();
    }
    if (::listen(socket_.get(), SOMAXCONN) != 0) fail();
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) fail();
    meeting_ = {token, ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port), addresses()};
  }

  const Meeting& meeting() const { return meeting_; }
  int descriptor() const { return socket_.get(); }
  /// Nothing is open in it if nobody is there.
  Descriptor accept() const { return Descriptor(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  static std::uint64_t random_token() {
    std::random_device random;
    return random() * (std::uint64_t{1} << 32) + random();
  }

  [[noreturn]] static void fail() {
    throw std::system_error(errno, std::generic_category(), "rank 0 cannot listen for the other ranks");
  }

  /// This host's, the one that means every host itself last.
  static std::vector<std::string> addresses() {
    const std::string itself = "127.0.0.1";
    std::vector<std::string> out;
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) return {itself};
    for (const ifaddrs* at = all; at; at = at->ifa_next) {
      if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET) continue;
      std::array<char, INET_ADDRSTRLEN> text{};
      const auto& address = reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr;
      if (::inet_ntop(AF_INET, &address, text.data(), text.size()) && itself != text.data())
        out.emplace_back(text.data());
    }
    ::freeifaddrs(all);
    out.push_back(itself);
    return out;
  }

  Descriptor socket_;
  Meeting meeting_;
};

}  // namespace weft
