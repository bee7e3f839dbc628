// The world of a test that mpirun runs in several processes.
#pragma once

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "weft/comm/mpi.hpp"

inline weft::mpi::World* all_processes = nullptr;

/// Calls body(world) in the first `ranks` processes, if there are as many.
template <class Body>
void on_processes(int ranks, Body body) {
  if (all_processes->size() < ranks || all_processes->rank() >= ranks) return;
  std::vector<int> members;
  for (int rank = 0; rank < ranks; ++rank) members.push_back(rank);
  weft::mpi::World world(*all_processes, members);
  body(world);
}

int main(int argc, char** argv) {
  return weft::mpi::launch([argc, argv](weft::mpi::World& world) {
    all_processes = &world;
    doctest::Context context(argc, argv);
    context.setOption("no-version", true);
    context.setOption("minimal", world.rank() > 0);
    return context.run();
  });
}
