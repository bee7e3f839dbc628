// RendezvousClient: connects a rank other than 0 to rank 0 of its job, and to no other process.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "weft/comm/job/handshake.hpp"
#include "weft/comm/job/printable.hpp"
#include "weft/comm/job/remote_process.hpp"
#include "weft/comm/job/rendezvous_info.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::job {

/// The connection to rank 0, and the text that it gives to all ranks.
struct Welcome {
  RemoteProcess rank0;
  std::string text;
};

class RendezvousClient {
 public:
  /// `info` must outlive it.
  RendezvousClient(const RendezvousInfo& info, int rank) : info_(&info), rank_(rank) {}

  /// Returns when all ranks have connected to rank 0. Throws std::runtime_error if rank 0 is not found within
  /// `patience` or closes the connection; Stopped, with rank 0's reason, if rank 0 rejects this process or
  /// another rank is missing.
  [[nodiscard]] Welcome run(std::chrono::milliseconds patience) {
    deadline_ = Clock::now() + patience;
    while (Clock::now() < deadline_) {
      for (const Endpoint& endpoint : info_->endpoints)
        for (const Address& address : endpoint.addresses())
          if (std::optional<Welcome> welcome = try_at(endpoint, address, patience))
            return std::move(*welcome);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (!lost_.empty()) throw std::runtime_error(lost_);
    std::string out = sentence("rank ", rank_, " did not find rank 0 at ", info_->endpoints.front().text());
    if (info_->endpoints.size() > 1) out += " to " + info_->endpoints.back().text();
    out += sentence(" within ", std::chrono::duration<double>(patience).count(), " s");
    if (!obstacle_.empty()) out += "; " + obstacle_;
    throw std::runtime_error(out);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds time_to_connect{1000}, time_to_prove{2000}, time_to_fail{5000};

  /// Returns nothing unless rank 0 answers at the address.
  std::optional<Welcome> try_at(const Endpoint& endpoint, const Address& address,
                                std::chrono::milliseconds patience) {
    Connection connection(connected(address, time_to_connect));
    if (!connection.is_open()) return std::nullopt;
    ClientHandshake handshake(info_->key, rank_);
    connection.send(handshake.hello());
    const auto challenge = next(connection, time_to_prove);
    if (!challenge) return note_obstacle(endpoint, "sends nothing");
    const auto proof = handshake.answer(*challenge, process_name());
    if (!proof) return note_obstacle(endpoint, handshake.reason());
    connection.send(*proof);
    connection.trust();
    // Rank 0 waits for the other ranks, and its patience ends before this one's.
    const auto message = next(connection, patience + time_to_fail);
    const auto text = message ? handshake.opened(*message) : std::nullopt;
    if (!text) return note_loss(endpoint);
    if (message->kind != Message::Kind::welcome) throw Stopped(printable(*text));
    const std::size_t line = std::min(text->find('\n'), text->size());
    return Welcome{{0, text->substr(0, line), std::move(connection)},
                   text->substr(std::min(line + 1, text->size()))};
  }

  std::nullopt_t note_obstacle(const Endpoint& endpoint, std::string_view what) {
    obstacle_ = sentence("the process that listens at ", endpoint.text(), " ", what);
    return std::nullopt;
  }

  /// Shortens the time that is left: rank 0 has closed the connection because this process was too slow,
  /// which another try may mend, or because it has ended.
  std::nullopt_t note_loss(const Endpoint& endpoint) {
    lost_ = sentence("rank 0, which rank ", rank_, " has found at ", endpoint.text(),
                     ", has gone before all ranks had come");
    deadline_ = std::min(deadline_, Clock::now() + time_to_fail);
    return std::nullopt;
  }

  /// Waits for the next message; returns nothing if none comes in time or the other side closes.
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

  const RendezvousInfo* info_;
  int rank_;
  Clock::time_point deadline_{};
  std::string obstacle_, lost_;  // sentences about the latest failed tries
};

}  // namespace weft::inline v0_1::job
