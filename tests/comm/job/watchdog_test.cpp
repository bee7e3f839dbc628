// Processes without MPI, each with its watchdog: any failure of one ends all, with one sentence.
#include "weft/comm/job/watchdog.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/wait.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "../../io/temporary_folder.hpp"
#include "../few_threads.hpp"
#include "weft/comm/job/rendezvous.hpp"

using weft::job::Connected;
using weft::job::Connection;
using weft::job::Key;
using weft::job::Listener;
using weft::job::Message;
using weft::job::RemoteProcess;
using weft::job::RendezvousInfo;
using weft::job::Watchdog;

namespace {

constexpr int ranks = 3;
constexpr std::chrono::milliseconds timeout{600};

void sleep_long() { std::this_thread::sleep_for(std::chrono::seconds(20)); }

struct Outcome {
  std::vector<int> codes;  // exit codes of the ranks; a signal's number is negative
  std::string said;
  std::chrono::steady_clock::duration time;
};

Listener some_listener() {
  return Listener({{.socket = "weft-test-" + weft::job::hex(weft::job::random_bytes(8))}});
}

/// Runs life(rank, watchdog) in a process for each rank, and act(processes) in this one.
Outcome run(const std::function<void(int, Watchdog&)>& life,
            const std::function<void(const std::vector<int>&)>& act = {},
            const std::function<void(Watchdog::Options&)>& adapt = {}) {
  const auto begin = std::chrono::steady_clock::now();
  const TemporaryFolder folder;
  const Listener listener = some_listener();
  const RendezvousInfo info{listener.endpoints(), Key::random()};
  std::vector<int> processes;
  for (int rank = 0; rank < ranks; ++rank) {
    processes.push_back(::fork());
    if (processes.back() != 0) continue;
    const int err = ::open((folder / "err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(err, STDERR_FILENO);
    std::signal(SIGTERM, SIG_DFL);  // doctest has a handler
    Watchdog::Options options{.timeout = timeout,
                              .doing = [rank] { return "dance " + std::to_string(rank); }};
    if (adapt) adapt(options);
    {
      Connected connected = connect(info, &listener, rank, ranks, "", std::chrono::seconds(10));
      Watchdog watchdog(rank, std::move(connected.processes), options);
      life(rank, watchdog);
    }
    ::_exit(0);
  }
  if (act) act(processes);
  Outcome outcome;
  for (const int process : processes) {
    int status = 0;
    ::waitpid(process, &status, 0);
    outcome.codes.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  }
  outcome.said = std::filesystem::exists(folder / "err") ? folder.read("err") : "";
  outcome.time = std::chrono::steady_clock::now() - begin;
  return outcome;
}

/// Sends the signal to the rank when all are running.
Outcome signalled(int rank, int signal) {
  return run([](int, Watchdog&) { sleep_long(); },
             [rank, signal](const std::vector<int>& processes) {
               std::this_thread::sleep_for(std::chrono::milliseconds(400));
               ::kill(processes[static_cast<std::size_t>(rank)], signal);
               if (signal != SIGSTOP) return;
               std::this_thread::sleep_for(3 * timeout);
               ::kill(processes[static_cast<std::size_t>(rank)], SIGKILL);
             });
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}
bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Watchdog: a rank that leaves when its work is done is no failure") {
  const Outcome outcome = run([](int rank, Watchdog&) {
    std::this_thread::sleep_for(rank * timeout);  // one after the other, and longer than the time-out
  });
  CHECK(outcome.codes == std::vector{0, 0, 0});
  CHECK(outcome.said.empty());
}

TEST_CASE("Watchdog: a failure is printed once, with what the rank was doing, and all end with its code") {
  for (int culprit = 0; culprit < ranks; ++culprit) {
    const Outcome outcome = run([culprit](int rank, Watchdog& watchdog) {
      if (rank == culprit) watchdog.fail(1, "boom");
      sleep_long();
    });
    CAPTURE(outcome.said);
    CHECK(outcome.codes == std::vector{1, 1, 1});
    const std::string number = std::to_string(culprit);
    CHECK(outcome.said == "rank " + number + ", at dance " + number + ": boom\n");
    CHECK(outcome.time < std::chrono::seconds(2));
  }
}

TEST_CASE("Watchdog: an invalid argument of all ranks is printed once, as it is") {
  const Outcome outcome = run([](int, Watchdog& watchdog) { watchdog.fail(2, "steps is 0"); });
  CHECK(outcome.codes == std::vector{2, 2, 2});
  CHECK(outcome.said == "steps is 0\n");
}

TEST_CASE("Watchdog: a rank that is killed is named") {
  const Outcome outcome = signalled(2, SIGKILL);
  CAPTURE(outcome.said);
  CHECK(outcome.codes == std::vector{1, 1, -SIGKILL});
  CHECK(mentions(outcome.said, "rank 2, process "));
  CHECK(mentions(outcome.said, ", has died; the last it did was dance 2\n"));
  CHECK(lines(outcome.said) == 1);
}

TEST_CASE("Watchdog: a rank that is stopped counts as failed after the time-out") {
  const Outcome outcome = signalled(1, SIGSTOP);
  CAPTURE(outcome.said);
  CHECK(outcome.codes == std::vector{1, -SIGKILL, 1});
  CHECK(mentions(outcome.said, "has not been heard of for 0.6 s; the last it did was dance 1\n"));
}

TEST_CASE("Watchdog: if rank 0 dies, each of the others says so") {
  const Outcome killed = signalled(0, SIGKILL);
  CHECK(killed.codes == std::vector{-SIGKILL, 1, 1});
  CHECK(lines(killed.said) == 2);
  CHECK(mentions(killed.said, ", has died; the last it did was dance 0\n"));
  const Outcome stopped = signalled(0, SIGSTOP);
  CHECK(stopped.codes == std::vector{-SIGKILL, 1, 1});
  CHECK(mentions(stopped.said, "has not been heard of"));
}

TEST_CASE("Watchdog: a launcher's SIGTERM waits for the reason, and is named if there is none") {
  const Outcome outcome = signalled(1, SIGTERM);
  CAPTURE(outcome.said);
  CHECK(outcome.codes == std::vector(3, 128 + SIGTERM));
  CHECK(outcome.said == "rank 1, at dance 1, was told to end by SIGTERM\n");
}

TEST_CASE("Watchdog: rank 0 reports a failure after its own work is done, and all end") {
  for (const int culprit : {1, 2}) {
    const Outcome outcome = run([culprit](int rank, Watchdog& watchdog) {
      if (rank == 0) return;
      std::this_thread::sleep_for(2 * timeout);
      if (rank == culprit) watchdog.fail(1, "boom");
      sleep_long();
    });
    CHECK(outcome.codes == std::vector{1, 1, 1});
    const std::string number = std::to_string(culprit);
    CHECK(outcome.said == "rank " + number + ", at dance " + number + ": boom\n");
    CHECK(outcome.time < std::chrono::seconds(4));
  }
}

TEST_CASE("Watchdog: a rank that dies after rank 0's work is done is noticed") {
  const Outcome outcome = run([](int rank, Watchdog&) {
    if (rank == 0) return;
    std::this_thread::sleep_for(timeout);
    if (rank == 1) std::raise(SIGKILL);
    sleep_long();
  });
  CAPTURE(outcome.said);
  CHECK(outcome.codes == std::vector{1, -SIGKILL, 1});
  CHECK(mentions(outcome.said, "rank 1, process "));
  CHECK(mentions(outcome.said, ", has died"));
}

TEST_CASE("Watchdog: a rank's sentence reaches the terminal without its control characters") {
  const Outcome outcome = run([](int rank, Watchdog& watchdog) {
    if (rank == 1) watchdog.fail(1, "\33]0;title\7red\nline");
    sleep_long();
  });
  CHECK(outcome.said == "rank 1, at dance 1: \\x1b]0;title\\x07red\\x0aline\n");
}

TEST_CASE("Watchdog: an application's on_failure is called in place of the end of its process") {
  const Outcome outcome = run(
      [](int rank, Watchdog& watchdog) {
        try {
          if (rank == 1) watchdog.fail(1, "boom");
          std::this_thread::sleep_for(2 * timeout);
          watchdog.fail(7, "too late");
        } catch (const weft::Stopped& stopped) {
          if (std::string(stopped.what()) == "rank 1, at dance 1: boom") std::raise(SIGUSR1);
        }
      },
      {},
      [](Watchdog::Options& options) {
        options.on_failure = [](int code, const std::string& sentence) {
          const std::string line = std::to_string(code) + " " + sentence + "\n";
          [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
        };
      });
  CHECK(outcome.codes == std::vector(3, -SIGUSR1));
  const std::string line = "1 rank 1, at dance 1: boom\n";
  CHECK(outcome.said == line + line + line);
}

TEST_CASE("Watchdog: SIGTERM remains the application's without handle_sigterm") {
  const Outcome outcome = run([](int, Watchdog&) { std::this_thread::sleep_for(2 * timeout); },
                              [](const std::vector<int>& processes) {
                                std::this_thread::sleep_for(timeout / 2);
                                ::kill(processes[1], SIGTERM);
                              },
                              [](Watchdog::Options& options) { options.handle_sigterm = false; });
  CAPTURE(outcome.said);
  CHECK(outcome.codes == std::vector{1, -SIGTERM, 1});
  CHECK(mentions(outcome.said, "rank 1, process "));
}

TEST_CASE("Watchdog: throws if its thread cannot be started") {
  const std::string thrown = thrown_with_few_threads(1, [] { const Watchdog watchdog(2, {}, {}); });
  CHECK(mentions(thrown, "the watchdog of rank 2 cannot be started: Resource temporarily unavailable"));
}
