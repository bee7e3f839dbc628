#include "weft/comm/job/termination_signal.hpp"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include "weft/io/descriptor.hpp"

using weft::job::TerminationSignal;

namespace {

volatile std::sig_atomic_t calls = 0;

/// Gives the process a handler of SIGTERM for a test.
class Handler {
 public:
  explicit Handler(void (*handle)(int)) { old_ = std::signal(SIGTERM, handle); }
  ~Handler() { std::signal(SIGTERM, old_); }

  static bool is_current(void (*handle)(int)) {
    struct sigaction now {};
    ::sigaction(SIGTERM, nullptr, &now);
    return now.sa_handler == handle;
  }

 private:
  void (*old_)(int);
};

void count_and_spoil(int) {
  calls = calls + 1;
  errno = EBADF;
}
void do_nothing(int) {}

}  // namespace

TEST_CASE("TerminationSignal: counts the signal, keeps errno, and calls the application's handler") {
  const Handler handler(count_and_spoil);
  const weft::Descriptor event(::eventfd(0, EFD_NONBLOCK));
  calls = 0;
  {
    TerminationSignal signal(event.get());
    CHECK_FALSE(signal.take());
    errno = ENOENT;
    std::raise(SIGTERM);
    CHECK(errno == ENOENT);
    CHECK(calls == 1);
    CHECK(signal.take());
    CHECK_FALSE(signal.take());
    std::uint64_t count = 0;
    CHECK(::read(event.get(), &count, sizeof count) == sizeof count);
  }
  CHECK(Handler::is_current(count_and_spoil));
}

TEST_CASE("TerminationSignal: keeps a handler that the application sets meanwhile") {
  const Handler handler(count_and_spoil);
  {
    const TerminationSignal signal(-1);
    std::signal(SIGTERM, do_nothing);
  }
  CHECK(Handler::is_current(do_nothing));
}

TEST_CASE("TerminationSignal: leaves an ignored signal ignored") {
  const Handler handler(SIG_IGN);
  TerminationSignal signal(-1);
  std::raise(SIGTERM);
  CHECK_FALSE(signal.take());
}
