#include "process.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <system_error>
#include <thread>

namespace command {

namespace {

/// Returns whether a user started this process in a terminal, not a launcher.
bool has_own_terminal() { return ::tcgetpgrp(STDERR_FILENO) == ::getpgrp(); }

}  // namespace

void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0) {
      // open() returns the lowest free number: this one. Opened for the other direction, it still cannot be
      // used.
      [[maybe_unused]] const int opened = ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

void check_stack() {
  constexpr rlim_t least = 512 << 10;
  rlimit stack{};
  if (::getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur < least)
    weft::reject("the stack may grow to ", stack.rlim_cur >> 10, " KiB and needs ", least >> 10,
                 "; ulimit -s 8192 is usual");
}

int end_rejected(const std::optional<weft::LaunchEnvironment>& launched, const weft::InvalidArgument& error) {
  constexpr std::chrono::seconds until_launcher_ends_all{3};
  if (launched && launched->rank > 0 && !has_own_terminal())
    std::this_thread::sleep_for(until_launcher_ends_all);
  std::cerr << error.what() << '\n';
  return 2;
}

int flush_output(int code) {
  errno = 0;
  std::cout.flush();
  const bool had_failed = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !had_failed) return code;
  std::cerr << "cannot write to the standard output";
  if (errno != 0) std::cerr << ": " << std::generic_category().message(errno);
  std::cerr << '\n';
  return code == 0 ? 1 : code;
}

}  // namespace command
