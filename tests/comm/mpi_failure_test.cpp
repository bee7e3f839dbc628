// After any failure of one of the processes the job ends within seconds, names the process and what it did,
// and leaves no process behind. WEFT_REPEAT is the number of tries of each.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "../io/temporary_folder.hpp"
#include "cut_off.hpp"
#include "weft/io/descriptor.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int ranks = 4;
constexpr milliseconds timeout{1500};

int repetitions() {
  const char* text = std::getenv("WEFT_REPEAT");
  return text ? std::atoi(text) : 1;
}

/// A job under mpirun, and the numbers of its processes.
class Job {
 public:
  Job(const std::string& fate, int culprit, const std::string& more = "") : began_(Clock::now()) {
    const std::string line = std::string("exec " WEFT_MPIRUN " -q ") + more + " -n " + std::to_string(ranks) +
                             " '" WEFT_FAILING "' '" + folder_.path().string() + "' " + fate + " " +
                             std::to_string(culprit) + " " + std::to_string(timeout.count()) + " 2> '" +
                             (folder_ / "err").string() + "'";
    mpirun_ = ::fork();
    if (mpirun_ == 0) {
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
    for (int rank = 0; rank < ranks; ++rank) {
      while (!std::filesystem::exists(folder_ / std::to_string(rank)) &&
             Clock::now() - began_ < std::chrono::seconds(30))
        std::this_thread::sleep_for(milliseconds(5));
      processes_.push_back(std::atoi(folder_.read(std::to_string(rank)).c_str()));
      REQUIRE(processes_.back() > 0);
    }
    began_ = Clock::now();
  }
  ~Job() {
    for (const int process : processes_) ::kill(process, SIGKILL);
    ::kill(mpirun_, SIGKILL);
    if (!is_reaped_) ::waitpid(mpirun_, nullptr, 0);
  }

  int process(int rank) const { return processes_[static_cast<std::size_t>(rank)]; }

  /// Returns mpirun's exit code when it and all processes have ended; −1 after 10 s.
  int exit_code() {
    int status = 0;
    bool is_running = true;
    while (is_running && Clock::now() - began_ < std::chrono::seconds(10)) {
      is_reaped_ = is_reaped_ || ::waitpid(mpirun_, &status, WNOHANG) == mpirun_;
      is_running = !is_reaped_;
      for (const int process : processes_) is_running = is_running || is_alive(process);
      std::this_thread::sleep_for(milliseconds(5));
    }
    return !is_running && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string said() const { return folder_.read("err"); }

 private:
  /// Returns whether a process runs; a zombie does not.
  static bool is_alive(int process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string number, name, state;
    return static_cast<bool>(file >> number >> name >> state) && state != "Z";
  }

  TemporaryFolder folder_;
  std::vector<int> processes_;
  int mpirun_;
  bool is_reaped_ = false;
  Clock::time_point began_;
};

/// Checks for every rank in turn that all end within 10 s, with this code and a sentence with these words.
void check(const std::string& fate, int code, const std::function<void(const Job&, int)>& act,
           const std::vector<std::string>& words, const std::string& more = "") {
  auto longest = Clock::duration::zero();
  for (int i = 0; i < repetitions(); ++i) {
    const int culprit = (i + 2) % ranks;
    CAPTURE(culprit);
    Job job(fate, culprit, more);
    if (act) {
      std::this_thread::sleep_for(milliseconds(300 + 7 * i));
      act(job, culprit);
    }
    const auto before = Clock::now();
    const int ended = job.exit_code();
    longest = std::max(longest, Clock::now() - before);
    const std::string said = job.said();
    CAPTURE(said);
    // mpirun returns the code of the process that it noticed first, which may be the one that was killed.
    CHECK((ended == code || ((fate == "wait" || fate == "cut") && ended == 128 + SIGKILL)));
    CHECK((code == 0 || code == 2 || said.find("rank " + std::to_string(culprit)) != std::string::npos));
    for (const std::string& word : words) CHECK(said.find(word) != std::string::npos);
  }
  MESSAGE("all had ended after at most ", std::chrono::duration<double>(longest).count(), " s");
}

void send_signal(const Job& job, int culprit, int number) { ::kill(job.process(culprit), number); }

/// Cuts the process off the network; returns whether that is allowed.
bool cut_off_process(int process) {
  const weft::Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  int sockets = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
    const int number = std::atoi(entry.path().filename().c_str());
    const weft::Descriptor copy(static_cast<int>(::syscall(SYS_pidfd_getfd, handle.get(), number, 0)));
    sockets += cut_off(copy.get());
  }
  return sockets > 0;
}

}  // namespace

TEST_CASE("a rank that is killed") {
  check("wait", 1, [](const Job& job, int culprit) { send_signal(job, culprit, SIGKILL); },
        {"has died", "the last it did was "});
}

TEST_CASE("a rank that throws") { check("throw", 1, nullptr, {", at model block 7: boom"}); }

TEST_CASE("a rank that rejects") { check("reject", 2, nullptr, {"steps is 0\n"}); }

TEST_CASE("a rank that runs out of memory") {
  check("memory", 1, nullptr, {", at model block 7: the memory is too small for this"});
}

TEST_CASE("a rank that asks for fewer requests than the others") {
  check("fewer", 2, nullptr,
        {" has ended, and rank ", " asks for a request; all ranks must ask for as many\n"});
}

TEST_CASE("a rank that is stopped") {
  check("wait", 1, [](const Job& job, int culprit) { send_signal(job, culprit, SIGSTOP); },
        {"has not been heard of for 1.5 s; the last it did was "});
}

TEST_CASE("a rank whose network is gone") {
  bool can_cut_off = true;
  check(
      "cut", 1,
      [&](const Job& job, int culprit) {
        can_cut_off = cut_off_process(job.process(culprit));
        if (!can_cut_off) send_signal(job, culprit, SIGSTOP);
      },
      {"has not been heard of for 1.5 s; the last it did was "}, "--mca btl tcp,self");
  WARN_MESSAGE(can_cut_off, "this system forbids to cut off a process: it was stopped instead");
}

TEST_CASE("a long computation is no failure") { check("long", 0, nullptr, {}); }
