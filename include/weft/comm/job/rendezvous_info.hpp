// RendezvousInfo: where the processes of a job find rank 0, and the key by which they authenticate.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "weft/comm/job/endpoint.hpp"
#include "weft/comm/job/key.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::job {

/// All that a process must know to reach rank 0. MPI broadcasts it as text; without MPI all processes derive
/// the same one from their launch environment (rendezvous.hpp).
struct RendezvousInfo {
  std::vector<Endpoint> endpoints;  // to be tried in order
  Key key;

  /// Serializes it, the key included.
  [[nodiscard]] std::string text() const {
    std::string out = key.hex_text();
    for (const Endpoint& one : endpoints)
      out += one.is_local() ? "\n@" + one.socket : sentence('\n', one.host, ' ', one.port);
    return out;
  }

  /// Parses what `text` writes. Throws std::runtime_error at anything else.
  [[nodiscard]] static RendezvousInfo parse(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    const std::optional<Key> key = Key::from_hex(line);
    if (!key) throw std::runtime_error("the rendezvous of rank 0 has no key");
    RendezvousInfo out{{}, *key};
    while (std::getline(lines, line)) out.endpoints.push_back(endpoint_in(line));
    if (out.endpoints.empty()) throw std::runtime_error("the rendezvous of rank 0 has no endpoint");
    return out;
  }

 private:
  static Endpoint endpoint_in(const std::string& line) {
    if (line.size() > 1 && line.front() == '@') return {.socket = line.substr(1)};
    const std::size_t space = line.find(' ');
    Endpoint out{.host = line.substr(0, space)};
    const char* const begin = line.data() + std::min(space + 1, line.size());
    const char* const end = line.data() + line.size();
    const auto [at, error] = std::from_chars(begin, end, out.port);
    if (space == std::string::npos || space == 0 || error != std::errc() || at != end || out.port < 1 ||
        out.port > 65535)
      throw std::runtime_error("the rendezvous of rank 0 has no endpoint in: " + line);
    return out;
  }
};

}  // namespace weft::inline v0_1::job
