// The roll call, rank 0's side: how it comes by a connection to every other process of the job, and to no
// other.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/comm/job/handshake.hpp"
#include "weft/comm/job/listener.hpp"
#include "weft/comm/job/member.hpp"
#include "weft/comm/job/printable.hpp"
#include "weft/core/error.hpp"

namespace weft::job {

class RollCall {
 public:
  /// Gives every rank `text`, of at most 7,900 bytes, when all have come.
  RollCall(const Listener& listener, const Key& key, int ranks, std::string text)
      : listener_(&listener),
        key_(&key),
        text_(std::move(text)),
        present_(static_cast<std::size_t>(ranks - 1)) {}

  /// Returns the ranks 1, 2, …, when all have come. Throws std::runtime_error, and tells those that have
  /// come, if some have not within `patience`, or one of those has gone again.
  std::vector<Member> run(std::chrono::milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    try {
      while (std::ranges::any_of(present_, [](const auto& one) { return !one; })) {
        if (Clock::now() > deadline) throw std::runtime_error(absent(patience));
        wait();
        std::erase_if(unproved_, [this](Unproved& one) { return is_over(one); });
        for (auto& one : present_)
          if (one) check_presence(*one);
        accept();
      }
    } catch (const std::runtime_error& error) {
      tell_all(Message::Kind::rejection, error.what());
      throw;
    }
    tell_all(Message::Kind::welcome, process_name() + '\n' + text_);
    std::vector<Member> out;
    for (auto& one : present_) out.push_back(std::move(one->member));
    return out;
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// A connection from which nothing is known yet.
  struct Unproved {
    Connection connection;
    Admission admission;
    Clock::time_point until;
  };
  struct Present {
    Member member;
    Admission admission;
  };

  static constexpr std::chrono::seconds time_to_prove{1};
  static constexpr std::size_t accepted_at_once = 16;
  std::size_t most_unproved() const { return 64 + present_.size(); }

  void wait() const {
    std::vector<pollfd> polled;
    polled.push_back({listener_->descriptor(), POLLIN, 0});
    for (const Unproved& one : unproved_) polled.push_back({one.connection.descriptor(), POLLIN, 0});
    for (const auto& one : present_)
      if (one) polled.push_back({one->member.connection.descriptor(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), 100);
  }

  /// True when a connection is to be dropped, or has become a member's.
  bool is_over(Unproved& one) {
    one.connection.receive();
    while (one.admission.state() == Admission::State::open) {
      const std::optional<Message> message = one.connection.next();
      if (!message) break;
      if (const auto answer = one.admission.take(*message)) one.connection.send(*answer);
    }
    if (one.admission.state() == Admission::State::proved) return admit(std::move(one)), true;
    const bool is_late = Clock::now() > one.until;
    if (one.admission.state() == Admission::State::open && !is_late && one.connection.is_open()) return false;
    ++rejected_;
    return true;
  }

  void admit(Unproved one) {
    const std::uint32_t rank = one.admission.rank();
    const auto reject = [&one](const std::string& why) {
      one.connection.send(one.admission.sealed(Message::Kind::rejection, why));
    };
    if (rank < 1 || rank > present_.size())
      return reject(sentence("rank ", rank, " is none of a job of ", present_.size() + 1, " ranks"));
    auto& place = present_[rank - 1];
    if (place)
      return reject(sentence("rank ", rank, " has come already, as ", printable(place->member.process),
                             ", and comes again as ", printable(one.admission.process())));
    one.connection.trust();
    place.emplace(Present{{static_cast<int>(rank), one.admission.process(), std::move(one.connection)},
                          std::move(one.admission)});
  }

  /// Ranks that have come say nothing until they are welcome.
  static void check_presence(Present& one) {
    one.member.connection.receive();
    if (!one.member.connection.is_open() || one.member.connection.next())
      throw std::runtime_error(sentence("rank ", one.member.rank, ", ", printable(one.member.process),
                                        ", has gone before all ranks had come"));
  }

  /// Where there are too many connections, or no more descriptors, the oldest goes: a rank of the job has
  /// proved itself by then.
  void accept() {
    for (std::size_t i = 0; i < accepted_at_once; ++i) {
      Descriptor socket = listener_->accept();
      const int error = errno;
      const bool is_open = socket.get() >= 0;
      if (is_open)
        unproved_.push_back({Connection(std::move(socket)), Admission(*key_), Clock::now() + time_to_prove});
      const bool is_exhausted = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
      if (is_exhausted && unproved_.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (!unproved_.empty() && (is_exhausted || unproved_.size() > most_unproved())) {
        unproved_.erase(unproved_.begin());
        ++rejected_;
      }
      if (!is_open && error != 0) return;
    }
  }

  std::string absent(std::chrono::milliseconds patience) const {
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < present_.size(); ++i)
      if (!present_[i]) missing.push_back(std::to_string(i + 1));
    std::string out =
        sentence(missing.size() == 1 ? "rank " : "ranks ", listed(missing), " did not come within ",
                 std::chrono::duration<double>(patience).count(), " s");
    if (rejected_ > 0)
      out += sentence("; ", rejected_, rejected_ == 1 ? " connection" : " connections",
                      " did not prove to be of this job");
    const Place& place = listener_->places().front();
    if (!place.is_local() && place.addresses().front().is_loopback())
      out += sentence("; rank 0 listens at ", place.host, ", which other hosts cannot reach");
    return out;
  }

  void tell_all(Message::Kind kind, const std::string& text) {
    for (auto& one : present_)
      if (one) one->member.connection.send(one->admission.sealed(kind, text));
  }

  const Listener* listener_;
  const Key* key_;
  std::string text_;
  std::vector<std::optional<Present>> present_;  // of rank i + 1
  std::vector<Unproved> unproved_;               // the oldest first
  std::size_t rejected_ = 0;
};

}  // namespace weft::job
