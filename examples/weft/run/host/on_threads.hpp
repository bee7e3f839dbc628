// The definitions of threads.hpp.
#pragma once

#include <utility>

#include "../../parallel.hpp"
#include "../run_on.hpp"
#include "threads.hpp"
#include "weft/weft.hpp"

namespace command {

template <class Model>
RunResult OnThreads<Model>::run(const Options& options, const ModelFolder& folder, Work work,
                                const Wanted& wanted, weft::Trace* trace) {
  return run_on<Model, Parallel, weft::threads::World>(
      options, folder, std::move(work), wanted,
      [&](const auto& body) { weft::launch(options.world(), body, {.trace = trace}); },
      OwnRanks::all(options.world()));
}

}  // namespace command
