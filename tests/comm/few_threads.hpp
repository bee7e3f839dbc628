// A process in which few threads can be started, for tests of how it fails.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <string>

/// Calls body() in a process of its own that may have no more than `threads` threads, and returns what it
/// threw, "nothing" if it threw nothing, or "a hang" if it had not ended within 10 s. The limit binds
/// ordinary users alone, so that root becomes one.
template <class Body>
std::string thrown_with_few_threads(rlim_t threads, const Body& body) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const int process = ::fork();
  if (process == 0) {
    ::alarm(10);
    std::string said = "nothing";
    constexpr uid_t nobody = 65534;
    const rlimit limit{threads, threads};
    if ((::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0) ||
        ::setrlimit(RLIMIT_NPROC, &limit) != 0) {
      said = "no limit";
    } else {
      try {
        body();
      } catch (const std::exception& error) {
        said = error.what();
      }
    }
    [[maybe_unused]] const auto written = ::write(ends[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said(4096, '\0');
  const auto count = ::read(ends[0], said.data(), said.size());
  said.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "a hang" : said;
}
