// Peer: a watchdog's view of another process, and what that process's messages mean for the job.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "weft/comm/job/remote_process.hpp"

namespace weft::inline v0_1::job {

/// Why a job ends: the exit code of all its processes, never 0, and one sentence.
struct Failure {
  int code = 1;
  std::string sentence{};
};

struct Peer : RemoteProcess {
  using Clock = std::chrono::steady_clock;

  explicit Peer(RemoteProcess remote) : RemoteProcess(std::move(remote)) {}

  std::string doing{};                            // its activity, as of its last heartbeat
  Clock::time_point last_message = Clock::now();  // when its last message was received
  bool is_done = false;                           // whether it has left after its work

  /// Handles a message and returns the failure that it reports, if any: rank 0's verdict, which only rank 0
  /// may send, or another rank's own failure, which rank 0 turns into the verdict.
  [[nodiscard]] std::optional<Failure> take(const Message& message, Clock::time_point now) {
    last_message = now;
    if (message.kind == Message::Kind::heartbeat) doing = message.text;
    if (message.kind == Message::Kind::done) is_done = rank != 0;
    const bool ends = message.kind == (rank == 0 ? Message::Kind::verdict : Message::Kind::failed);
    if (!ends) return std::nullopt;
    return Failure{std::max<int>(message.code, 1), message.text};
  }
};

}  // namespace weft::inline v0_1::job
