// RendezvousServer: connects rank 0 to every other rank of its job, and to no other process.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/comm/job/handshake.hpp"
#include "weft/comm/job/listener.hpp"
#include "weft/comm/job/printable.hpp"
#include "weft/comm/job/remote_process.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::job {

class RendezvousServer {
 public:
  /// Sends every rank `text`, of at most 7,900 bytes, when all have connected. The listener and the key must
  /// outlive it.
  RendezvousServer(const Listener& listener, const Key& key, int ranks, std::string text)
      : listener_(&listener),
        key_(&key),
        text_(std::move(text)),
        ranks_(static_cast<std::size_t>(ranks - 1)) {}

  /// Returns the connections to ranks 1, 2, …, when all have connected. Throws std::runtime_error, and sends
  /// its sentence to the ranks that have, if some do not connect within `patience` or one closes again.
  [[nodiscard]] std::vector<RemoteProcess> run(std::chrono::milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    try {
      while (std::ranges::any_of(ranks_, [](const auto& one) { return !one; })) {
        if (Clock::now() > deadline) throw std::runtime_error(missing_ranks(patience));
        wait();
        std::erase_if(unauthenticated_,
                      [this](Unauthenticated& one) { return serve(one) != Progress::open; });
        for (auto& one : ranks_)
          if (one) check_presence(*one);
        accept();
      }
    } catch (const std::runtime_error& error) {
      send_to_all(Message::Kind::rejection, error.what());
      throw;
    }
    send_to_all(Message::Kind::welcome, process_name() + '\n' + text_);
    std::vector<RemoteProcess> out;
    for (auto& one : ranks_) out.push_back(std::move(one->process));
    return out;
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// A connection whose other side has not proved yet that it is of the job.
  struct Unauthenticated {
    Connection connection;
    ServerHandshake handshake;
    Clock::time_point deadline;
  };
  struct Authenticated {
    RemoteProcess process;
    ServerHandshake handshake;
  };
  /// The result of a turn with an unauthenticated connection: its handshake goes on, or it is removed because
  /// it was admitted or has failed.
  enum class Progress { open, admitted, failed };

  static constexpr std::chrono::seconds time_to_prove{1};
  static constexpr std::size_t accepted_at_once = 16;
  std::size_t most_unauthenticated() const { return 64 + ranks_.size(); }

  void wait() const {
    std::vector<pollfd> polled;
    polled.push_back({listener_->descriptor(), POLLIN, 0});
    for (const Unauthenticated& one : unauthenticated_)
      polled.push_back({one.connection.descriptor(), POLLIN, 0});
    for (const auto& one : ranks_)
      if (one) polled.push_back({one->process.connection.descriptor(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), 100);
  }

  /// Handles the messages of a connection's handshake.
  Progress serve(Unauthenticated& one) {
    one.connection.receive();
    while (one.handshake.state() == ServerHandshake::State::open) {
      const std::optional<Message> message = one.connection.next();
      if (!message) break;
      if (const auto answer = one.handshake.take(*message)) one.connection.send(*answer);
    }
    if (one.handshake.state() == ServerHandshake::State::proved) {
      admit(std::move(one));
      return Progress::admitted;
    }
    const bool is_late = Clock::now() > one.deadline;
    if (one.handshake.state() == ServerHandshake::State::open && !is_late && one.connection.is_open())
      return Progress::open;
    ++failed_;
    return Progress::failed;
  }

  /// Adds a process that has proved itself, or sends it a rejection if its rank is out of range or taken.
  void admit(Unauthenticated one) {
    const std::uint32_t rank = one.handshake.rank();
    const auto reject = [&one](const std::string& why) {
      one.connection.send(one.handshake.sealed(Message::Kind::rejection, why));
    };
    if (rank < 1 || rank > ranks_.size())
      return reject(sentence("rank ", rank, " is none of a job of ", ranks_.size() + 1, " ranks"));
    auto& place = ranks_[rank - 1];
    if (place)
      return reject(sentence("rank ", rank, " has come already, as ", printable(place->process.process),
                             ", and comes again as ", printable(one.handshake.process())));
    one.connection.trust();
    place.emplace(Authenticated{{static_cast<int>(rank), one.handshake.process(), std::move(one.connection)},
                                std::move(one.handshake)});
  }

  /// Throws if a rank has closed its connection; until they are welcome, ranks send nothing.
  static void check_presence(Authenticated& one) {
    one.process.connection.receive();
    if (!one.process.connection.is_open() || one.process.connection.next())
      throw std::runtime_error(sentence("rank ", one.process.rank, ", ", printable(one.process.process),
                                        ", has gone before all ranks had come"));
  }

  /// Accepts connections. Where there are too many, or no descriptors are left, the oldest is dropped: a rank
  /// of the job would have proved itself by then.
  void accept() {
    for (std::size_t i = 0; i < accepted_at_once; ++i) {
      Descriptor socket = listener_->accept();
      const int error = errno;
      const bool is_open = socket.get() >= 0;
      if (is_open)
        unauthenticated_.push_back(
            {Connection(std::move(socket)), ServerHandshake(*key_), Clock::now() + time_to_prove});
      const bool is_exhausted = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
      if (is_exhausted && unauthenticated_.empty())
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (!unauthenticated_.empty() && (is_exhausted || unauthenticated_.size() > most_unauthenticated())) {
        unauthenticated_.erase(unauthenticated_.begin());
        ++failed_;
      }
      if (!is_open && error != 0) return;
    }
  }

  std::string missing_ranks(std::chrono::milliseconds patience) const {
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < ranks_.size(); ++i)
      if (!ranks_[i]) missing.push_back(std::to_string(i + 1));
    std::string out =
        sentence(missing.size() == 1 ? "rank " : "ranks ", listed(missing), " did not come within ",
                 std::chrono::duration<double>(patience).count(), " s");
    if (failed_ > 0)
      out += sentence("; ", failed_, failed_ == 1 ? " connection" : " connections",
                      " did not prove to be of this job");
    const Endpoint& endpoint = listener_->endpoints().front();
    if (!endpoint.is_local() && endpoint.addresses().front().is_loopback())
      out += sentence("; rank 0 listens at ", endpoint.host, ", which other hosts cannot reach");
    return out;
  }

  void send_to_all(Message::Kind kind, const std::string& text) {
    for (auto& one : ranks_)
      if (one) one->process.connection.send(one->handshake.sealed(kind, text));
  }

  const Listener* listener_;
  const Key* key_;
  std::string text_;
  std::vector<std::optional<Authenticated>> ranks_;  // rank i + 1 at i
  std::vector<Unauthenticated> unauthenticated_;     // the oldest first
  std::size_t failed_ = 0;                           // connections that did not prove to be of the job
};

}  // namespace weft::inline v0_1::job
