// A model on the host, in one of MPI's processes. Each model is compiled in a unit of its own.
#pragma once

#include "../run/run.hpp"
#include "weft/comm/mpi.hpp"

namespace command {

template <class Model>
struct InMpiProcess {
  static RunResult run(weft::mpi::World& world, const Options& options, const ModelFolder& folder, Work work,
                       const Wanted& wanted);
};

}  // namespace command
