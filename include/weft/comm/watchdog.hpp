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
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weft/comm/roll_call.hpp"
#include "weft/core/error.hpp"

namespace weft {

/// Every process tells rank 0, and rank 0 every other, that it is alive and what it is doing, over TCP and
/// from a thread of its own: a long computation is not taken for a failure, and a process that waits for ever
/// in a collective is ended from there. Needs neither MPI nor NCCL. One a process.
///
/// The end of a job is one sentence that names the rank and what it was doing: rank 0 says it, or each of the
/// others if rank 0 is the one that is gone; then every process ends with the same exit code, without
/// destructors.
///
/// SIGTERM is the watchdog's while it lives: launchers send it to all when one has died, and a moment later
/// the reason is known.
class Watchdog {
 public:
  using Clock = std::chrono::steady_clock;

  struct Options {
    std::chrono::milliseconds timeout{8000};  // of silence, after which a rank is given up
    std::function<std::string()> doing = [] { return std::string(); };  // asked from the watchdog's thread
  };

  /// Rank 0's: returns when the others, up to `ranks`, have come.
  Watchdog(const Door& door, int ranks, Options options) : Watchdog(0, std::move(options)) {
    for (Caller& caller : call_roll(door, ranks)) peers_.emplace_back(std::move(caller));
    start();
  }

  /// Another's: returns when rank 0 has welcomed it.
  Watchdog(const Meeting& meeting, int rank, Options options) : Watchdog(rank, std::move(options)) {
    peers_.emplace_back(answer_roll(meeting, rank));
    start();
  }

  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// This process has come to its good end, and nobody is to miss it.
  ~Watchdog() {
    is_leaving_ = true;
    wake();
    thread_.join();
    ::sigaction(SIGTERM, &old_action_, nullptr);
    signalled_ = -1;
  }

  /// Ends the job: exit code 2 for what was refused before any work, whose sentence is told as it is,
  /// otherwise 1.
  [[noreturn]] void fail(int code, const std::string& message) {
    {
      std::lock_guard lock(mutex_);
      failure_ = {code, message};
    }
    wake();
    for (;;) ::pause();
  }

  /// The same for what was thrown; null if nothing was.
  [[noreturn]] void fail(const std::exception_ptr& thrown) {
    if (!thrown) fail(1, "the program was terminated");
    try {
      std::rethrow_exception(thrown);
    } catch (const Refused& refusal) {
      fail(refused_code, refusal.what());
    } catch (const std::bad_alloc&) {
      fail(1, "the memory is too small for this");
    } catch (const std::exception& error) {
      fail(1, error.what());
    } catch (...) {
      fail(1, "something was thrown that is no exception");
    }
  }

 private:
  struct Peer : Caller {
    explicit Peer(Caller caller) : Caller(std::move(caller)) {}

    std::string doing;
    Clock::time_point heard = Clock::now();
    bool is_done = false;
  };
  struct Failure {
    int code;
    std::string message;
  };

  static constexpr int terminated = 128 + SIGTERM;
  static constexpr std::chrono::milliseconds grace{500};  // for the reason behind a signal

  Watchdog(int rank, Options options)
      : rank_(rank), options_(std::move(options)), wake_(::eventfd(0, EFD_NONBLOCK)) {}

  void start() {
    signalled_ = wake_.get();
    struct sigaction action {};
    action.sa_handler = [](int) {
      was_signalled_ = true;
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(signalled_, &one, sizeof one);
    };
    ::sigaction(SIGTERM, &action, &old_action_);
    thread_ = std::thread([this] { watch(); });
  }

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  /// The watchdog's thread.
  void watch() {
    const auto period =
        std::clamp(options_.timeout / 8, std::chrono::milliseconds(1), std::chrono::milliseconds(100));
    Clock::time_point next = Clock::now(), signal_time = Clock::time_point::max();
    for (;;) {
      rest(period);
      const auto now = Clock::now();
      for (Peer& peer : peers_) hear(peer, now);
      if (is_leaving_) return tell_all({Word::done});
      judge_own();
      if (was_signalled_.exchange(false)) signal_time = now;
      if (now - signal_time > grace && signal_time < now) end_by_signal();
      if (now < next) continue;
      // Whoever was stopped itself cannot tell how long the others were silent.
      const bool was_held_up = now - next > options_.timeout / 2;
      next = now + period;
      tell_all({Word::alive, 0, options_.doing()});
      for (Peer& peer : peers_) {
        if (was_held_up) peer.heard = now;
        if (!peer.is_done && now - peer.heard > options_.timeout)
          lose(peer, sentence("has not been heard of for ",
                              std::chrono::duration<double>(options_.timeout).count(), " s"));
      }
    }
  }

  void rest(std::chrono::milliseconds period) const {
    std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}};
    for (const Peer& peer : peers_)
      if (peer.line.is_open()) polled.push_back({peer.line.descriptor(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), static_cast<int>(period.count()));
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto count = ::read(wake_.get(), &ignored, sizeof ignored);
  }

  void hear(Peer& peer, Clock::time_point now) {
    if (!peer.line.is_open()) return;
    peer.line.hear([this, &peer, now](const Word& word) {
      peer.heard = now;
      if (word.kind == Word::alive) peer.doing = word.text;
      if (word.kind == Word::done) peer.is_done = true;
      if (word.kind == Word::failed) end({word.code, word.text});
      if (word.kind == Word::verdict) std::_Exit(word.code);
      return true;
    });
    if (!peer.line.is_open() && !peer.is_done) lose(peer, "has died");
  }

  /// Rank 0 ends the job; another rank tells rank 0 and waits for its verdict.
  void judge_own() {
    std::optional<Failure> failure;
    {
      std::lock_guard lock(mutex_);
      failure = std::exchange(failure_, std::nullopt);
    }
    if (!failure) return;
    if (failure->code != refused_code)
      failure->message = sentence("rank ", rank_, at(options_.doing()), ": ", failure->message);
    if (rank_ == 0) end(*failure);
    told_ = failure->message;
    tell_all({Word::failed, static_cast<std::uint8_t>(failure->code), failure->message});
  }

  void end_by_signal() {
    if (rank_ == 0)
      end({terminated, sentence("rank 0", at(options_.doing()), ", was told to end by SIGTERM")});
    tell_all({Word::failed, terminated,
              sentence("rank ", rank_, at(options_.doing()), ", was told to end by SIGTERM")});
    const auto deadline = Clock::now() + grace;
    while (Clock::now() < deadline) {
      rest(std::chrono::milliseconds(50));
      for (Peer& peer : peers_) hear(peer, Clock::now());
    }
    std::_Exit(terminated);
  }

  [[noreturn]] void lose(const Peer& peer, const std::string& how) {
    if (!told_.empty()) say(told_);
    end({1, sentence("rank ", peer.rank, ", ", peer.process, ", ", how,
                     peer.doing.empty() ? "" : "; the last it did was " + peer.doing)});
  }

  /// Says why, tells the others, and waits for a moment until they are gone.
  [[noreturn]] void end(const Failure& failure) {
    say(failure.message);
    tell_all({Word::verdict, static_cast<std::uint8_t>(failure.code)});
    const auto deadline = Clock::now() + grace;
    const auto is_anybody_there = [this] {
      return std::ranges::any_of(peers_, [](const Peer& peer) { return peer.line.is_open(); });
    };
    while (rank_ == 0 && Clock::now() < deadline && is_anybody_there()) {
      rest(std::chrono::milliseconds(50));
      for (Peer& peer : peers_) peer.line.hear([](const Word&) { return true; });
    }
    std::_Exit(failure.code);
  }

  void tell_all(const Word& word) {
    for (Peer& peer : peers_) peer.line.say(word);
  }

  static std::string at(const std::string& doing) { return doing.empty() ? "" : ", at " + doing; }

  static void say(const std::string& message) {
    const std::string line = (::isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "") + message + "\n";  // over a bar
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  }

  static constexpr int refused_code = 2;
  static inline std::atomic<int> signalled_ = -1;  // the one to wake at SIGTERM
  static inline std::atomic<bool> was_signalled_ = false;

  int rank_;
  Options options_;
  Descriptor wake_;
  std::vector<Peer> peers_;  // of rank 0 all others, of another rank 0 alone
  std::mutex mutex_;
  std::optional<Failure> failure_;
  std::string told_;  // to rank 0, of a failure of this rank
  std::atomic<bool> is_leaving_ = false;
  struct sigaction old_action_ {};
  std::thread thread_;
};

}  // namespace weft
