// The roll call: how rank 0 comes by a line to every other process of the job.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/comm/line.hpp"
#include "weft/comm/meeting.hpp"
#include "weft/core/error.hpp"

namespace weft {

/// The process at the other end of a line.
struct Caller {
  int rank = 0;
  Line line;
  std::string process;  // such as "process 4711 on node3"
};

namespace detail {

constexpr std::chrono::seconds roll_call_patience{30};

inline std::string process_name() { return sentence("process ", ::getpid(), " on ", host_name()); }

/// The rank and the process of whoever says hello with the token, without a line.
inline std::optional<Caller> introduced(const Word& word, std::uint64_t token) {
  std::istringstream words(word.text);
  std::uint64_t said = 0;
  Caller caller;
  if (word.kind != Word::hello || !(words >> said >> caller.rank) || said != token) return std::nullopt;
  std::getline(words >> std::ws, caller.process);
  return caller;
}

inline std::string absent(const std::vector<Caller>& callers) {
  std::string ranks;
  for (std::size_t i = 0; i < callers.size(); ++i)
    if (!callers[i].line.is_open()) ranks += (ranks.empty() ? "rank " : ", ") + std::to_string(i + 1);
  return ranks;
}

}  // namespace detail

/// Rank 0's side: the ranks 1, 2, … of `ranks`, when all have come. Strangers are left standing at the door.
inline std::vector<Caller> call_roll(const Door& door, int ranks) {
  const auto deadline = std::chrono::steady_clock::now() + detail::roll_call_patience;
  std::vector<Caller> callers(static_cast<std::size_t>(ranks - 1));
  std::vector<Line> unknown;
  for (std::size_t missing = callers.size(); missing > 0;) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error(sentence(detail::absent(callers), " did not come within 30 s"));
    std::vector<pollfd> polled{{door.descriptor(), POLLIN, 0}};
    for (const Line& line : unknown) polled.push_back({line.descriptor(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), 100);
    for (Line& line : unknown) {
      std::optional<Caller> caller;
      line.hear([&caller, &door](const Word& word) {
        caller = detail::introduced(word, door.meeting().token);
        return false;
      });
      if (!caller || caller->rank < 1 || caller->rank >= ranks) continue;
      Caller& place = callers[static_cast<std::size_t>(caller->rank - 1)];
      if (place.line.is_open()) continue;
      place = {caller->rank, std::move(line), caller->process};
      place.line.say({Word::welcome, 0, detail::process_name()});
      --missing;
    }
    std::erase_if(unknown, [](const Line& line) { return !line.is_open(); });
    if (polled.front().revents & POLLIN) unknown.emplace_back(door.accept());
  }
  return callers;
}

/// Another's side: rank 0, when it has welcomed this one.
inline Caller answer_roll(const Meeting& meeting, int rank) {
  const auto deadline = std::chrono::steady_clock::now() + detail::roll_call_patience;
  while (std::chrono::steady_clock::now() < deadline) {
    for (const std::string& address : meeting.addresses) {
      Line line = Line::to(address, meeting.port, std::chrono::seconds(1));
      line.say({Word::hello, 0, sentence(meeting.token, ' ', rank, ' ', detail::process_name())});
      std::optional<std::string> host;
      while (line.is_open() && !host && std::chrono::steady_clock::now() < deadline) {
        pollfd ready{line.descriptor(), POLLIN, 0};
        ::poll(&ready, 1, 100);
        line.hear([&host](const Word& word) {
          if (word.kind == Word::welcome) host = word.text;
          return false;
        });
      }
      if (host) return {0, std::move(line), *host};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw std::runtime_error(sentence("rank ", rank, " did not reach rank 0 at ", listed(meeting.addresses),
                                    ", port ", meeting.port, ", within 30 s"));
}

}  // namespace weft
