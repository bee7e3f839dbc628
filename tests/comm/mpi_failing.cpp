// A job for mpi_failure_test.cpp: every rank computes and communicates, and one may fail.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/comm/mpi.hpp"

using weft::View;
using weft::mpi::World;

namespace {

/// Allocates memory until there is none.
[[noreturn]] void exhaust() {
  const rlimit little{std::size_t{1} << 32, std::size_t{1} << 32};
  ::setrlimit(RLIMIT_AS, &little);
  std::vector<std::unique_ptr<char[]>> all;
  for (;;) all.push_back(std::make_unique_for_overwrite<char[]>(std::size_t{1} << 26));
}

void work(World& world, int steps, const std::string& fate, int culprit, std::chrono::milliseconds timeout) {
  weft::host::Queue queue(1, world.lane());
  double sum = 0;
  for (int step = 0; step < steps; ++step) {
    {
      const auto span = queue.span("model", "block", 7);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (step == 20 && world.rank() == culprit) {
        if (fate == "throw") throw std::runtime_error("boom");
        if (fate == "reject") weft::reject("steps is ", 0);
        if (fate == "memory") exhaust();
        if (fate == "long") std::this_thread::sleep_for(3 * timeout);
      }
    }
    sum += 1;
    world.all_reduce(queue, View<double, 1>(&sum, {1}));
  }
}

/// Asks for less than the other ranks if this is the culprit.
void ask(World& world, int culprit) {
  weft::host::Queue queue;
  weft::Agreement<weft::mpi::detail::AgreementMemory, World> agreement(queue, world);
  const int requests = world.rank() == culprit ? 3 : 5;
  for (int i = 0; i < requests; ++i) agreement.check([] { return weft::InputSummary("request"); });
}

}  // namespace

/// usage: mpi_failing FOLDER FATE CULPRIT MILLISECONDS; leaves FOLDER/RANK with the process's number.
int main(int, char** argv) {
  const std::filesystem::path folder = argv[1];
  const std::string fate = argv[2];
  const std::chrono::milliseconds timeout(std::atoi(argv[4]));
  weft::mpi::launch(
      [&](World& world) {
        const auto file = folder / std::to_string(world.rank());
        std::ofstream(file.string() + ".part") << ::getpid();
        std::filesystem::rename(file.string() + ".part", file);
        if (fate == "fewer") return ask(world, std::atoi(argv[3]));
        work(world, fate == "wait" || fate == "cut" ? 1 << 30 : 100, fate, std::atoi(argv[3]), timeout);
      },
      {.threads = 1, .timeout = timeout, .address = fate == "cut" ? "127.0.0.1" : ""});
}
