// RemoteProcess: another process of the job, and the connection to it.
#pragma once

#include <unistd.h>

#include <array>
#include <string>

#include "weft/comm/job/connection.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::job {

struct RemoteProcess {
  int rank = 0;
  std::string process{};  // its process_name()
  Connection connection{};
};

/// Returns the name of this process, such as "process 4711 on node3".
inline std::string process_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return sentence("process ", ::getpid(), " on ", host.data());
}

}  // namespace weft::inline v0_1::job
