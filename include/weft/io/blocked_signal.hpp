// BlockedSignal: keeps a signal that a system call raises from ending the process.
#pragma once

#include <csignal>
#include <ctime>

namespace weft::inline v0_1 {

/// A scope in which a signal that a system call raises in the calling thread, such as SIGXFSZ, is not
/// delivered: the call fails with its errno instead. The end, in the same thread, discards a pending signal
/// unless it was blocked before.
class [[nodiscard]] BlockedSignal {
 public:
  explicit BlockedSignal(int signal) {
    sigemptyset(&own_);
    sigaddset(&own_, signal);
    ::pthread_sigmask(SIG_BLOCK, &own_, &before_);
    was_blocked_ = sigismember(&before_, signal) == 1;
  }
  BlockedSignal(const BlockedSignal&) = delete;
  BlockedSignal& operator=(const BlockedSignal&) = delete;
  ~BlockedSignal() {
    if (was_blocked_) return;
    constexpr timespec at_once{};
    ::sigtimedwait(&own_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t own_, before_;
  bool was_blocked_;
};

}  // namespace weft::inline v0_1
