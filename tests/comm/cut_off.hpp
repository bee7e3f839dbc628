// Cuts a process off the network, for tests of how the others react.
#pragma once

#include <linux/filter.h>
#include <sys/socket.h>

/// Drops all that the socket receives from the network from now on, without an error. Returns false if the
/// descriptor is no network socket, or the system forbids this.
inline bool cut_off(int descriptor) {
  sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop};
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain == AF_UNIX) return false;
  return ::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}
