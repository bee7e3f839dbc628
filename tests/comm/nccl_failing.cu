// A job for nccl_failure_test.sh: every rank computes and communicates, and one may fail.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cut_off.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/nccl.cuh"

using weft::Index;
using weft::View;
using weft::nccl::World;

namespace {

/// Allocates memory until there is none.
[[noreturn]] void exhaust(weft::cuda::Queue& queue) {
  std::vector<weft::cuda::Buffer<char>> all;
  for (;;) all.emplace_back(queue, Index{1} << 32);
}

/// Cuts this process off the network, or stops it where that is not allowed.
void cut_off_all() {
  std::vector<int> descriptors;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    descriptors.push_back(std::atoi(entry.path().filename().c_str()));
  int sockets = 0;
  for (const int descriptor : descriptors) sockets += cut_off(descriptor);
  if (sockets > 0) return;
  std::cerr << "this system lets no test cut off a process: it is stopped instead\n";
  std::raise(SIGSTOP);
}

/// Leaves the process's number in FOLDER/RANK, whole from the first moment.
void leave_number(const std::filesystem::path& folder, int rank) {
  const auto file = folder / std::to_string(rank);
  std::ofstream(file.string() + ".part") << ::getpid();
  std::filesystem::rename(file.string() + ".part", file);
}

void work(World& world, const std::filesystem::path& folder, const std::string& fate, int culprit) {
  weft::cuda::Queue queue;
  const weft::cuda::Buffer<double> sum(queue, 1);
  std::vector<int> all(static_cast<std::size_t>(world.size()));
  std::iota(all.begin(), all.end(), 0);
  auto group = world.split("ulysses", all);
  const int steps = fate == "wait" || fate == "cut" ? 1 << 30 : 60;
  for (int step = 0; step < steps; ++step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (group.pushes()) group.pushed(queue, {});
    group.all_reduce(queue, sum.view(std::array<Index, 1>{1}));
    if (step == 20 && world.rank() == culprit) {
      if (fate == "throw") throw std::runtime_error("boom");
      if (fate == "reject") weft::reject("steps is ", 0);
      if (fate == "memory") exhaust(queue);
      if (fate == "cut") cut_off_all();
    }
    queue.synchronize();
    if (step == 0) leave_number(folder, world.rank());
  }
}

/// Asks for less than the other ranks if this is the culprit.
void ask(World& world, const std::filesystem::path& folder, int culprit) {
  weft::Cuda<float>::Queue queue;
  weft::Agreement<weft::Cuda<float>, World> agreement(queue, world);
  const int requests = world.rank() == culprit ? 3 : 5;
  for (int i = 0; i < requests; ++i) {
    agreement.check([] { return weft::InputSummary("request"); });
    if (i == 0) leave_number(folder, world.rank());
  }
}

}  // namespace

/// usage: nccl_failing FOLDER FATE CULPRIT MILLISECONDS; leaves FOLDER/RANK with the process's number once it
/// has computed with the others.
int main(int, char** argv) {
  const std::filesystem::path folder = argv[1];
  try {
    weft::LaunchEnvironment place = weft::launch_environment().value();
    if (std::string(argv[2]) == "cut") place.local_world = 1;  // as on hosts of their own, over the network
    weft::nccl::launch(place,
                       [&](World& world) {
                         const std::string fate = argv[2];
                         if (fate == "fewer") return ask(world, folder, std::atoi(argv[3]));
                         work(world, folder, fate, std::atoi(argv[3]));
                       },
                       {.timeout = std::chrono::milliseconds(std::atoi(argv[4]))});
  } catch (const weft::InvalidArgument& rejection) {
    std::cerr << rejection.what() << '\n';
    return 2;
  }
}
