// Peer: what a watchdog knows of another process, and what that process's messages mean for the job.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "weft/comm/job/member.hpp"

namespace weft::job {

/// The end of a job: the code that all its processes end with, never 0, and one sentence.
struct Ending {
  int code = 1;
  std::string sentence{};
};

struct Peer : Member {
  using Clock = std::chrono::steady_clock;

  explicit Peer(Member member) : Member(std::move(member)) {}

  std::string doing{};
  Clock::time_point heard = Clock::now();
  bool is_done = false;

  /// Takes a message and returns the job's end if it is one: the verdict, which is rank 0's alone to pass, or
  /// a failure of another rank, which is for rank 0 to pass a verdict on.
  std::optional<Ending> take(const Message& message, Clock::time_point now) {
    heard = now;
    if (message.kind == Message::Kind::alive) doing = message.text;
    if (message.kind == Message::Kind::done) is_done = rank != 0;
    const bool ends = message.kind == (rank == 0 ? Message::Kind::verdict : Message::Kind::failed);
    if (!ends) return std::nullopt;
    return Ending{std::max<int>(message.code, 1), message.text};
  }
};

}  // namespace weft::job
