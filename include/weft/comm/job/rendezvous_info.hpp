// Meeting: where the processes of a job find rank 0, and the key they prove themselves by.
#pragma once

#include <charconv>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "weft/comm/job/key.hpp"
#include "weft/comm/job/place.hpp"
#include "weft/core/error.hpp"

namespace weft::job {

/// All that a process must know to reach rank 0. MPI carries it as a text; without MPI all processes make the
/// same from what their launcher says (rendezvous.hpp).
struct Meeting {
  std::vector<Place> places;  // to be tried in order
  Key key;

  /// To be kept secret.
  std::string text() const {
    std::string out = key.hex_text();
    for (const Place& place : places)
      out += place.is_local() ? "\n@" + place.socket : sentence('\n', place.host, ' ', place.port);
    return out;
  }

  /// What `text` gives. Throws std::runtime_error at anything else.
  static Meeting parse(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    const std::optional<Key> key = Key::from_hex(line);
    if (!key) throw std::runtime_error("what rank 0 has sent tells no key");
    Meeting out{{}, *key};
    while (std::getline(lines, line)) out.places.push_back(place_in(line));
    if (out.places.empty()) throw std::runtime_error("what rank 0 has sent tells no place");
    return out;
  }

 private:
  static Place place_in(const std::string& line) {
    if (line.size() > 1 && line.front() == '@') return {.socket = line.substr(1)};
    const std::size_t space = line.find(' ');
    Place place{.host = line.substr(0, space)};
    const char *const begin = line.data() + std::min(space + 1, line.size()), *const end =
                                                                                  line.data() + line.size();
    const auto [at, error] = std::from_chars(begin, end, place.port);
    if (space == std::string::npos || space == 0 || error != std::errc() || at != end || place.port < 1 ||
        place.port > 65535)
      throw std::runtime_error("what rank 0 has sent tells no place: " + line);
    return place;
  }
};

}  // namespace weft::job
