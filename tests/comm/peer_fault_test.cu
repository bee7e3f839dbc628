// A kernel that faults on the device of any rank ends the process soon, with a sentence. So each job is a
// process of its own: this program, called as `peer_fault_test RANKS LOOP CULPRIT`.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"

using weft::Index;
using weft::cuda::Buffer;
using weft::cuda::Queue;
using weft::peer::World;

namespace {

__global__ void store_out_of_bounds() { *reinterpret_cast<volatile int*>(16) = 1; }

/// Every rank sends to its neighbour and reduces; a kernel of the culprit faults meanwhile, or at the end.
void work(World& world, const std::string& loop, int culprit) {
  const int ranks = world.size();
  Queue queue(world.lane(), world.recorder(), world.rank());
  std::vector<int> all(static_cast<std::size_t>(ranks));
  std::iota(all.begin(), all.end(), 0);
  auto group = world.split("ulysses", all);
  const int next = (world.rank() + 1) % ranks, previous = (world.rank() + ranks - 1) % ranks;
  const Buffer<int> out(queue, 4000), in(queue, 4000);
  const Buffer<double> sum(queue, 1);
  const auto numbers = [](const Buffer<int>& buffer) { return buffer.view(std::array{buffer.size()}); };
  const auto fault_at = [&](bool now) {
    if (now && world.rank() == culprit) store_out_of_bounds<<<1, 1, 0, queue.stream()>>>();
  };
  const auto step = [&](Index number) {
    auto coming = group.receive(queue, numbers(in), previous);
    auto going = group.send(queue, numbers(out), next);
    fault_at(number == 5 && loop != "last");
    group.wait(queue, coming);
    group.wait(queue, going);
    group.all_reduce(queue, sum.view(std::array{Index{1}}));
  };
  if (loop == "recorded") {
    const auto recording = queue.record(step, 5);
    for (Index i = 0; i < 3; ++i) queue.replay(recording, 5 + i);
  } else {
    for (Index i = 0; i < 10; ++i) step(i);
  }
  fault_at(loop == "last");
  if (loop != "last") queue.synchronize();
}

struct Ended {
  int code = -1;
  double seconds = 0;
  std::string said;
};

/// Runs the job in a process that sees only `devices`, or all there are if null; kills it if it hangs.
Ended run(const char* devices, int ranks, const char* loop, int culprit) {
  const auto begin = std::chrono::steady_clock::now();
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t job = ::fork();
  REQUIRE(job >= 0);
  if (job == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]), ::close(ends[1]);
    if (devices) ::setenv("CUDA_VISIBLE_DEVICES", devices, 1);
    ::alarm(30);
    ::execl("/proc/self/exe", "peer_fault_test", std::to_string(ranks).c_str(), loop,
            std::to_string(culprit).c_str(), static_cast<char*>(nullptr));
    std::_Exit(127);
  }
  ::close(ends[1]);
  Ended out;
  std::array<char, 4096> piece;
  for (ssize_t read; (read = ::read(ends[0], piece.data(), piece.size())) > 0;)
    out.said.append(piece.data(), static_cast<std::size_t>(read));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(job, &status, 0);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return out;
}

/// Returns the first device that this process sees, as CUDA_VISIBLE_DEVICES names it.
std::string first_device() {
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible ? std::string(visible).substr(0, std::string(visible).find(',')) : "0";
}

/// Lets every rank fault in turn, on so many devices.
void check_faults(const char* visible, int devices) {
  for (const int ranks : {2, 4})
    for (const char* loop : {"queued", "recorded", "last"})
      for (int culprit = 0; culprit < ranks; ++culprit) {
        CAPTURE(ranks);
        CAPTURE(loop);
        CAPTURE(culprit);
        const int device = weft::peer::device_of(culprit, ranks, devices);
        const std::string ranks_there = weft::peer::named(weft::peer::ranks_on(device, ranks, devices));
        const Ended ended = run(visible, ranks, loop, culprit);
        CAPTURE(ended.said);
        CHECK(ended.code == 1);
        CHECK(ended.seconds < 10);
        // The driver may fail other devices with it.
        CHECK(ended.said.find(weft::sentence("CUDA device ", device, " of ", ranks_there)) !=
              std::string::npos);
        CHECK(ended.said.find(" failed: an illegal memory access was encountered;") != std::string::npos);
        CHECK(std::count(ended.said.begin(), ended.said.end(), '\n') == 1);
      }
}

}  // namespace

TEST_CASE("peer: a fault on a device that all ranks share ends the process with a sentence") {
  CHECK(weft::peer::device_count() > 0);
  check_faults(first_device().c_str(), 1);
  CHECK(run(first_device().c_str(), 2, "queued", -1).code == 0);
}

TEST_CASE("peer: a fault on one of several devices ends the process with a sentence") {
  const int devices = weft::peer::connected_device_count();
  if (devices == 1) return;
  check_faults(nullptr, devices);
  CHECK(run(nullptr, 2, "queued", -1).code == 0);
}

int main(int count, char** arguments) {
  if (count != 4 || arguments[1][0] == '-') return doctest::Context(count, arguments).run();
  const std::string loop = arguments[2];
  const int culprit = std::atoi(arguments[3]);
  try {
    weft::peer::launch(std::atoi(arguments[1]), [&](World& world) { work(world, loop, culprit); });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "thrown: %s\n", error.what());
    return 3;
  }
}
