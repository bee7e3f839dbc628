// TerminationSignal: SIGTERM as an event that a thread can poll.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace weft::inline v0_1::job {

/// While it lives, SIGTERM is counted on an eventfd in place of ending the process, and then the
/// application's own handler is called. Where the application ignores SIGTERM, it stays ignored. At most one
/// a process.
class TerminationSignal {
 public:
  /// `event` must outlive it.
  explicit TerminationSignal(int event) {
    event_ = event;
    was_sent_ = false;
    ::sigaction(SIGTERM, nullptr, &old_);
    if (old_.sa_handler == SIG_IGN) return;
    struct sigaction action = old_;
    action.sa_flags = SA_SIGINFO | SA_RESTART | (old_.sa_flags & SA_ONSTACK);
    action.sa_sigaction = handle;
    ::sigaction(SIGTERM, &action, nullptr);
  }
  TerminationSignal(const TerminationSignal&) = delete;
  TerminationSignal& operator=(const TerminationSignal&) = delete;

  /// Restores the application's handler, unless the application has set another one meanwhile.
  ~TerminationSignal() {
    struct sigaction now {};
    ::sigaction(SIGTERM, nullptr, &now);
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handle) ::sigaction(SIGTERM, &old_, nullptr);
    event_ = -1;
  }

  /// Returns whether the signal was sent since the last call.
  [[nodiscard]] bool take() { return was_sent_.exchange(false); }

 private:
  static void handle(int number, siginfo_t* info, void* context) {
    const int error = errno;
    was_sent_ = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
    if (old_.sa_flags & SA_SIGINFO)
      old_.sa_sigaction(number, info, context);
    else if (old_.sa_handler != SIG_DFL)
      old_.sa_handler(number);
    errno = error;
  }

  static inline std::atomic<int> event_ = -1;
  static inline std::atomic<bool> was_sent_ = false;
  static inline struct sigaction old_ {};
};

}  // namespace weft::inline v0_1::job
