// Watchdog: a thread in every process of a job that ends all of them when one has failed, died or become
// unresponsive.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/comm/job/peer.hpp"
#include "weft/comm/job/printable.hpp"
#include "weft/comm/job/termination_signal.hpp"
#include "weft/core/error.hpp"
#include "weft/core/thread.hpp"
#include "weft/io/descriptor.hpp"

namespace weft::inline v0_1::job {

/// Rank 0 and every other rank exchange heartbeats that say what they are doing. They come from a thread of
/// their own: a long computation is not taken for a failure, and a process that hangs in a collective is
/// ended from there. Needs neither MPI nor NCCL. At most one a process.
///
/// A job that fails prints one sentence that names the rank and what it was doing: rank 0 prints it, or each
/// of the others if rank 0 is the one that died; then every process ends with the same exit code, without
/// running destructors.
///
/// Launchers send SIGTERM to all processes when one has died, a moment before the reason is known: so the
/// watchdog handles that signal while it lives, and ends the job half a second after it.
class Watchdog {
 public:
  using Clock = Peer::Clock;

  struct Options {
    std::chrono::milliseconds timeout{8000};  // without a heartbeat, after which a rank counts as failed
    /// Returns what this process is doing; called from the watchdog's thread.
    std::function<std::string()> doing = [] { return std::string(); };
    bool handle_sigterm = true;
    /// Called from the watchdog's thread with the exit code and the sentence, in place of printing that and
    /// ending the process. Must not throw. When it returns, this process has left the job, and `fail` throws
    /// Stopped.
    std::function<void(int, const std::string&)> on_failure{};
  };

  /// Takes rank 0's connections to all others, or another rank's to rank 0. What `options.doing` uses must
  /// outlive it. Throws if its thread cannot be started.
  Watchdog(int rank, std::vector<RemoteProcess> processes, Options options)
      : rank_(rank), options_(std::move(options)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    for (RemoteProcess& process : processes) peers_.emplace_back(std::move(process));
    if (options_.handle_sigterm) signal_.emplace(wake_.get());
    thread_ = start_thread(sentence("the watchdog of rank ", rank), [this] {
      watch();
      has_ended_ = true;
      has_ended_.notify_all();
    });
  }

  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Leaves the job after its work is done, without failing it. Rank 0's waits until all other ranks have
  /// left or failed.
  ~Watchdog() {
    is_leaving_ = true;
    wake();
  }

  /// Ends the job with an exit code and a sentence: code 2 for an invalid argument, whose sentence is printed
  /// as it is; before that of any other code stands the rank and what it was doing. May be called from any
  /// thread. Throws Stopped where `on_failure` has returned.
  [[noreturn]] void fail(int code, const std::string& message) {
    {
      const std::lock_guard lock(mutex_);
      failure_ = {code, message};
    }
    wake();
    has_ended_.wait(false);
    throw Stopped(reason_);
  }

  /// Ends the job because of an exception, or without one if it is null: code 2 for InvalidArgument, 1
  /// otherwise.
  [[noreturn]] void fail(const std::exception_ptr& thrown) {
    if (!thrown) fail(1, "the program was terminated");
    try {
      std::rethrow_exception(thrown);
    } catch (const InvalidArgument& rejection) {
      fail(rejected_code, rejection.what());
    } catch (const std::bad_alloc&) {
      fail(1, "the memory is too small for this");
    } catch (const std::exception& error) {
      fail(1, error.what());
    } catch (...) {
      fail(1, "something was thrown that is no exception");
    }
  }

  /// Returns whether the job has failed and on_failure has returned.
  bool has_ended() const { return has_ended_; }

 private:
  static constexpr int rejected_code = 2, terminated = 128 + SIGTERM;
  static constexpr std::chrono::milliseconds grace{500};  // in which the reason for a signal may arrive

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  /// Runs on the watchdog's thread.
  void watch() {
    const auto period =
        std::clamp(options_.timeout / 8, std::chrono::milliseconds(1), std::chrono::milliseconds(100));
    Clock::time_point next = Clock::now(), signal_time = Clock::time_point::max();
    while (!is_out_) {
      wait_for_events(period);
      const auto now = Clock::now();
      for (Peer& peer : peers_) receive_from(peer, now);
      if (is_leaving_ && !must_stay()) return send_to_all({Message::Kind::done});
      handle_own_failure();
      if (signal_ && signal_->take()) signal_time = now;
      if (now - signal_time > grace && signal_time < now) end_by_signal();
      if (now < next) continue;
      // A process that was stopped itself does not know how long the others sent nothing.
      const bool was_held_up = now - next > options_.timeout / 2;
      next = now + period;
      send_to_all({Message::Kind::heartbeat, 0, options_.doing()});
      for (Peer& peer : peers_) {
        if (was_held_up) peer.last_message = now;
        if (!peer.is_done && now - peer.last_message > options_.timeout)
          fail_for(peer, sentence("has not been heard of for ",
                                  std::chrono::duration<double>(options_.timeout).count(), " s"));
      }
    }
  }

  /// Returns whether this is rank 0 and other ranks still work: it sends the verdict if one of them fails.
  bool must_stay() const {
    return rank_ == 0 && std::ranges::any_of(peers_, [](const Peer& peer) { return !peer.is_done; });
  }

  /// Waits for a message, a wake-up or the end of the period.
  void wait_for_events(std::chrono::milliseconds period) const {
    std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}};
    for (const Peer& peer : peers_)
      if (peer.connection.is_open()) polled.push_back({peer.connection.descriptor(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), static_cast<int>(period.count()));
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto count = ::read(wake_.get(), &ignored, sizeof ignored);
  }

  void receive_from(Peer& peer, Clock::time_point now) {
    if (!peer.connection.is_open()) return;
    peer.connection.receive();
    while (const auto message = peer.connection.next()) {
      const auto failure = peer.take(*message, now);
      if (!failure) continue;
      if (rank_ == 0) return end_job(*failure);
      return leave_job(*failure);
    }
    if (peer.connection.is_open() || peer.is_done) return;
    fail_for(peer, peer.connection.is_garbled() ? "has sent what is no message" : "has died");
  }

  /// Ends the job on rank 0; another rank reports its failure to rank 0 and waits for the verdict.
  void handle_own_failure() {
    std::optional<Failure> failure;
    {
      const std::lock_guard lock(mutex_);
      failure = std::exchange(failure_, std::nullopt);
    }
    if (!failure) return;
    if (failure->code != rejected_code)
      failure->sentence = sentence("rank ", rank_, at(options_.doing()), ": ", failure->sentence);
    if (rank_ == 0) return end_job(*failure);
    reported_ = failure->sentence;
    send_to_all({Message::Kind::failed, static_cast<std::uint8_t>(failure->code), failure->sentence});
  }

  void end_by_signal() {
    const Failure failure{terminated,
                          sentence("rank ", rank_, at(options_.doing()), ", was told to end by SIGTERM")};
    if (rank_ == 0) return end_job(failure);
    send_to_all({Message::Kind::failed, terminated, failure.sentence});
    const auto deadline = Clock::now() + grace;
    while (Clock::now() < deadline && !is_out_) {
      wait_for_events(std::chrono::milliseconds(50));
      for (Peer& peer : peers_) receive_from(peer, Clock::now());
    }
    leave_job(failure);
  }

  /// Ends the job because of another rank.
  void fail_for(const Peer& peer, const std::string& how) {
    end_job({1, sentence(reported_, reported_.empty() ? "" : "; ", "rank ", peer.rank, ", ", peer.process,
                         ", ", how, peer.doing.empty() ? "" : "; the last it did was ", peer.doing)});
  }

  /// Prints the reason first, before a launcher can kill this process because another has ended; then rank 0
  /// sends the verdict.
  void end_job(const Failure& failure) {
    if (!options_.on_failure) print(failure.sentence);
    if (rank_ == 0) send_verdict(failure);
    leave_job(failure);
  }

  /// Sends the verdict to all ranks, and waits a moment until they have ended.
  void send_verdict(const Failure& failure) {
    send_to_all({Message::Kind::verdict, static_cast<std::uint8_t>(failure.code), failure.sentence});
    const auto deadline = Clock::now() + grace;
    const auto is_there = [](const Peer& peer) { return peer.connection.is_open(); };
    while (Clock::now() < deadline && std::ranges::any_of(peers_, is_there)) {
      wait_for_events(std::chrono::milliseconds(50));
      for (Peer& peer : peers_) {
        peer.connection.receive();
        while (peer.connection.next()) {
        }
      }
    }
  }

  /// Ends this process, or calls on_failure.
  void leave_job(const Failure& failure) {
    if (is_out_) return;
    if (!options_.on_failure) std::_Exit(failure.code);
    is_out_ = true;
    for (Peer& peer : peers_) peer.connection.close();
    reason_ = printable(failure.sentence);
    options_.on_failure(failure.code, reason_);
  }

  void send_to_all(const Message& message) {
    for (Peer& peer : peers_) peer.connection.send(message);
  }

  static std::string at(const std::string& doing) { return doing.empty() ? "" : ", at " + doing; }

  static void print(const std::string& message) {
    const std::string before = ::isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "";  // over a progress bar
    const std::string line = before + printable(message) + "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  }

  int rank_;
  Options options_;
  Descriptor wake_;
  std::optional<TerminationSignal> signal_;
  std::vector<Peer> peers_;  // all other ranks on rank 0, rank 0 on the others
  std::mutex mutex_;
  std::optional<Failure> failure_;  // of this rank, until it is reported; guarded by mutex_
  std::string reported_;            // the sentence about this rank's failure that rank 0 was sent
  std::string reason_ = "this rank has left the job";
  bool is_out_ = false;  // and on_failure has been called
  std::atomic<bool> is_leaving_ = false, has_ended_ = false;
  std::jthread thread_;  // last: it uses the other members
};

}  // namespace weft::inline v0_1::job
