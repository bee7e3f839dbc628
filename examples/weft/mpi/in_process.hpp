// The definitions of process.hpp.
#pragma once

#include <optional>
#include <utility>

#include "../parallel.hpp"
#include "../run/run_on.hpp"
#include "process.hpp"
#include "weft/comm/gather_trace.hpp"

namespace command {

template <class Model>
weft::Tensor InMpiProcess<Model>::run(weft::mpi::World& world, const Options& options,
                                      const ModelFolder& folder, Work work, weft::Trace* trace) {
  if (trace) world.record(*trace);
  std::optional<weft::Span> loading(std::in_place, world.lane(), "model", "load");
  weft::Tensor result = run_on<Model, Parallel, weft::mpi::World>(options, folder, std::move(work),
                                                                  [&world, &loading](const auto& body) {
                                                                    loading.reset();
                                                                    body(world);
                                                                  },
                                                                  {{world.rank()}, world.size()});
  if (trace) weft::gather_trace(world, *trace);
  return result;
}

}  // namespace command
