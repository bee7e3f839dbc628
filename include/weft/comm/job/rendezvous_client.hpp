// The roll call, every other rank's side: how a process comes by a connection to rank 0 of its job, and to
// nobody else.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "weft/comm/job/handshake.hpp"
#include "weft/comm/job/meeting.hpp"
#include "weft/comm/job/member.hpp"
#include "weft/comm/job/printable.hpp"
#include "weft/core/error.hpp"

namespace weft::job {

/// Rank 0, and the text that it gives to all.
struct Welcome {
  Member rank0;
  std::string text;
};

class Answer {
 public:
  Answer(const Meeting& meeting, int rank) : meeting_(&meeting), rank_(rank) {}

  /// Returns when rank 0 has found all ranks. Throws std::runtime_error where rank 0 is not found within
  /// `patience`, or has gone again; Stopped, with rank 0's reason, where rank 0 rejects this process or
  /// misses another.
  Welcome run(std::chrono::milliseconds patience) {
    deadline_ = Clock::now() + patience;
    while (Clock::now() < deadline_) {
      for (const Place& place : meeting_->places)
        for (const Address& address : place.addresses())
          if (std::optional<Welcome> welcome = try_at(place, address, patience)) return std::move(*welcome);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (!lost_.empty()) throw std::runtime_error(lost_);
    std::string out = sentence("rank ", rank_, " did not find rank 0 at ", meeting_->places.front().text());
    if (meeting_->places.size() > 1) out += " to " + meeting_->places.back().text();
    out += sentence(" within ", std::chrono::duration<double>(patience).count(), " s");
    if (!obstacle_.empty()) out += "; " + obstacle_;
    throw std::runtime_error(out);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds time_to_connect{1000}, time_to_prove{2000}, time_to_fail{5000};

  /// Nothing where nobody answers, or somebody else.
  std::optional<Welcome> try_at(const Place& place, const Address& address,
                                std::chrono::milliseconds patience) {
    Connection connection(connected(address, time_to_connect));
    if (!connection.is_open()) return std::nullopt;
    Introduction introduction(meeting_->key, rank_);
    connection.send(introduction.hello());
    const auto challenge = next(connection, time_to_prove);
    if (!challenge) return obstruct(place, "says nothing");
    const auto proof = introduction.answer(*challenge, process_name());
    if (!proof) return obstruct(place, introduction.reason());
    connection.send(*proof);
    connection.trust();
    // Rank 0 waits for the others, and gives up before this does.
    const auto message = next(connection, patience + time_to_fail);
    const auto text = message ? introduction.opened(*message) : std::nullopt;
    if (!text) return lose(place);
    if (message->kind != Message::Kind::welcome) throw Stopped(printable(*text));
    const std::size_t line = std::min(text->find('\n'), text->size());
    return Welcome{{0, text->substr(0, line), std::move(connection)},
                   text->substr(std::min(line + 1, text->size()))};
  }

  std::nullopt_t obstruct(const Place& place, std::string_view what) {
    obstacle_ = sentence("whoever listens at ", place.text(), " ", what);
    return std::nullopt;
  }

  /// Rank 0 may have thought this process too slow; otherwise it has ended.
  std::nullopt_t lose(const Place& place) {
    lost_ = sentence("rank 0, which rank ", rank_, " has found at ", place.text(),
                     ", has gone before all ranks had come");
    deadline_ = std::min(deadline_, Clock::now() + time_to_fail);
    return std::nullopt;
  }

  static std::optional<Message> next(Connection& connection, std::chrono::milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    for (;;) {
      connection.receive();
      if (auto message = connection.next()) return message;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
      if (!connection.is_open() || left.count() <= 0) return std::nullopt;
      connection.wait(left);
    }
  }

  const Meeting* meeting_;
  int rank_;
  Clock::time_point deadline_{};
  std::string obstacle_, lost_;  // the last that was met
};

}  // namespace weft::job
