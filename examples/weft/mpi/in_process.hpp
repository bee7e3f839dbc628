// The definitions of process.hpp.
#pragma once

#include <optional>
#include <utility>

#include "../parallel.hpp"
#include "../run/run_on.hpp"
#include "process.hpp"

namespace command {

template <class Model>
RunResult InMpiProcess<Model>::run(weft::mpi::World& world, const Options& options, const ModelFolder& folder,
                                   Work work, const Wanted& wanted) {
  std::optional<weft::Span> loading(std::in_place, world.lane(), "model", "load");
  return run_on<Model, Parallel, weft::mpi::World>(options, folder, std::move(work), wanted,
                                                   [&world, &loading](const auto& body) {
                                                     loading.reset();
                                                     body(world);
                                                   },
                                                   {{world.rank()}, world.size()});
}

}  // namespace command
