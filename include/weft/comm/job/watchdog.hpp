// Watchdog: a thread in every process of a job that ends all of them when one has failed, died or fallen
// silent.
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

namespace weft::job {

/// Every process tells rank 0, and rank 0 every other, that it is alive and what it is doing, from a thread
/// of its own: a long computation is not taken for a failure, and a process that waits for ever in a
/// collective is ended from there. Needs neither MPI nor NCCL. One a process.
///
/// The end of a job is one sentence that names the rank and what it was doing: rank 0 says it, or each of the
/// others if rank 0 is the one that is gone; then every process ends with the same exit code, without
/// destructors.
///
/// Launchers send SIGTERM to all when one has died, and a moment later the reason is known: so it is the
/// watchdog's while that lives, and ends the job half a second later.
class Watchdog {
 public:
  using Clock = Peer::Clock;

  struct Options {
    std::chrono::milliseconds timeout{8000};  // of silence, after which a rank is given up
    std::function<std::string()> doing = [] { return std::string(); };  // asked from the watchdog's thread
    bool handle_sigterm = true;
    /// Called from the watchdog's thread with the exit code and the sentence, in place of saying that and
    /// ending the process. Must not throw. When it returns, this process is out of the job, and `fail` throws
    /// Stopped.
    std::function<void(int, const std::string&)> on_failure{};
  };

  /// Of rank 0 with connections to all others, of another rank with one to rank 0. Throws if its thread
  /// cannot be started.
  Watchdog(int rank, std::vector<Member> members, Options options)
      : rank_(rank), options_(std::move(options)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    for (Member& member : members) peers_.emplace_back(std::move(member));
    if (options_.handle_sigterm) signal_.emplace(wake_.get());
    thread_ = start_thread(sentence("the watchdog of rank ", rank), [this] {
      watch();
      has_ended_ = true;
      has_ended_.notify_all();
    });
  }

  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// This process has come to its good end, and is not missed. Rank 0's goes on, as long as they are heard
  /// of, until all others have come to theirs.
  ~Watchdog() {
    is_leaving_ = true;
    wake();
  }

  /// Ends the job: exit code 2 for what was rejected before any work, whose sentence is told as it is,
  /// otherwise 1.
  [[noreturn]] void fail(int code, const std::string& message) {
    {
      const std::lock_guard lock(mutex_);
      failure_ = {code, message};
    }
    wake();
    has_ended_.wait(false);
    throw Stopped(reason_);
  }

  /// The same for what was thrown; null if nothing was.
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

  /// Whether the job has failed and on_failure has returned.
  bool has_ended() const { return has_ended_; }

 private:
  static constexpr int rejected_code = 2, terminated = 128 + SIGTERM;
  static constexpr std::chrono::milliseconds grace{500};  // for the reason behind a signal

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  /// The watchdog's thread.
  void watch() {
    const auto period =
        std::clamp(options_.timeout / 8, std::chrono::milliseconds(1), std::chrono::milliseconds(100));
    Clock::time_point next = Clock::now(), signal_time = Clock::time_point::max();
    while (!is_out_) {
      rest(period);
      const auto now = Clock::now();
      for (Peer& peer : peers_) hear(peer, now);
      if (is_leaving_ && !is_needed()) return tell_all({Message::Kind::done});
      judge_own();
      if (signal_ && signal_->take()) signal_time = now;
      if (now - signal_time > grace && signal_time < now) end_by_signal();
      if (now < next) continue;
      // A process that was stopped itself cannot tell how long the others were silent.
      const bool was_held_up = now - next > options_.timeout / 2;
      next = now + period;
      tell_all({Message::Kind::alive, 0, options_.doing()});
      for (Peer& peer : peers_) {
        if (was_held_up) peer.heard = now;
        if (!peer.is_done && now - peer.heard > options_.timeout)
          lose(peer, sentence("has not been heard of for ",
                              std::chrono::duration<double>(options_.timeout).count(), " s"));
      }
    }
  }

  /// Rank 0 is, to pass the verdict, until all others are done.
  bool is_needed() const {
    return rank_ == 0 && std::ranges::any_of(peers_, [](const Peer& peer) { return !peer.is_done; });
  }

  void rest(std::chrono::milliseconds period) const {
    std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}};
    for (const Peer& peer : peers_)
      if (peer.connection.is_open()) polled.push_back({peer.connection.descriptor(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), static_cast<int>(period.count()));
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto count = ::read(wake_.get(), &ignored, sizeof ignored);
  }

  void hear(Peer& peer, Clock::time_point now) {
    if (!peer.connection.is_open()) return;
    peer.connection.receive();
    while (const auto message = peer.connection.next())
      if (const auto ending = peer.take(*message, now)) return rank_ == 0 ? end(*ending) : leave(*ending);
    if (peer.connection.is_open() || peer.is_done) return;
    lose(peer, peer.connection.is_garbled() ? "has sent what is no message" : "has died");
  }

  /// Rank 0 ends the job; another rank tells rank 0 and waits for its verdict.
  void judge_own() {
    std::optional<Ending> failure;
    {
      const std::lock_guard lock(mutex_);
      failure = std::exchange(failure_, std::nullopt);
    }
    if (!failure) return;
    if (failure->code != rejected_code)
      failure->sentence = sentence("rank ", rank_, at(options_.doing()), ": ", failure->sentence);
    if (rank_ == 0) return end(*failure);
    told_ = failure->sentence;
    tell_all({Message::Kind::failed, static_cast<std::uint8_t>(failure->code), failure->sentence});
  }

  void end_by_signal() {
    const Ending ending{terminated,
                        sentence("rank ", rank_, at(options_.doing()), ", was told to end by SIGTERM")};
    if (rank_ == 0) return end(ending);
    tell_all({Message::Kind::failed, terminated, ending.sentence});
    const auto deadline = Clock::now() + grace;
    while (Clock::now() < deadline && !is_out_) {
      rest(std::chrono::milliseconds(50));
      for (Peer& peer : peers_) hear(peer, Clock::now());
    }
    leave(ending);
  }

  void lose(const Peer& peer, const std::string& how) {
    end({1, sentence(told_, told_.empty() ? "" : "; ", "rank ", peer.rank, ", ", peer.process, ", ", how,
                     peer.doing.empty() ? "" : "; the last it did was ", peer.doing)});
  }

  /// Says why, before a launcher can end this process for the end of another; then rank 0 tells the others,
  /// and waits for a moment until they are gone.
  void end(const Ending& ending) {
    if (!options_.on_failure) say(ending.sentence);
    if (rank_ == 0) dismiss_others(ending);
    leave(ending);
  }

  void dismiss_others(const Ending& ending) {
    tell_all({Message::Kind::verdict, static_cast<std::uint8_t>(ending.code), ending.sentence});
    const auto deadline = Clock::now() + grace;
    const auto is_there = [](const Peer& peer) { return peer.connection.is_open(); };
    while (Clock::now() < deadline && std::ranges::any_of(peers_, is_there)) {
      rest(std::chrono::milliseconds(50));
      for (Peer& peer : peers_) {
        peer.connection.receive();
        while (peer.connection.next()) {
        }
      }
    }
  }

  /// Ends this process, or lets the application do so.
  void leave(const Ending& ending) {
    if (is_out_) return;
    if (!options_.on_failure) std::_Exit(ending.code);
    is_out_ = true;
    for (Peer& peer : peers_) peer.connection.close();
    reason_ = printable(ending.sentence);
    options_.on_failure(ending.code, reason_);
  }

  void tell_all(const Message& message) {
    for (Peer& peer : peers_) peer.connection.send(message);
  }

  static std::string at(const std::string& doing) { return doing.empty() ? "" : ", at " + doing; }

  static void say(const std::string& message) {
    const std::string before = ::isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "";  // over a progress bar
    const std::string line = before + printable(message) + "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  }

  int rank_;
  Options options_;
  Descriptor wake_;
  std::optional<TerminationSignal> signal_;
  std::vector<Peer> peers_;  // of rank 0 all others, of another rank 0 alone
  std::mutex mutex_;
  std::optional<Ending> failure_;  // of this rank, not told yet
  std::string told_;               // to rank 0, of a failure of this rank
  std::string reason_ = "this rank has left the job";
  bool is_out_ = false;  // and on_failure has been called
  std::atomic<bool> is_leaving_ = false, has_ended_ = false;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace weft::job
