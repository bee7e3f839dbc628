// A model on the host, on threads of this process. Each model is compiled in a unit of its own.
#pragma once

#include "../run.hpp"

namespace command {

template <class Model>
struct OnThreads {
  static RunResult run(const Options& options, const ModelFolder& folder, Work work, const Wanted& wanted,
                       weft::Trace* trace);
};

}  // namespace command
