// The definitions of rank.cuh.
#pragma once

#include <utility>

#include "../cuda/on_device.cuh"
#include "../parallel.hpp"
#include "rank.cuh"

namespace command {

template <class E>
weft::Tensor NcclRank<E>::run(weft::nccl::World& world, const Options& options, const ModelFolder& folder,
                              Work work, weft::Trace* trace) {
  using World = weft::nccl::World;
  using Engine = weft::Engine<weft::HunyuanDiT<Cuda<E>>, Parallel, World>;
  if (trace) world.record(*trace);
  return run_on<Cuda<E>, Parallel, World>(
      options, folder, std::move(work), [&world](const auto& body) { body(world); },
      Engine::blocks(options.mesh, world.rank(), folder.config().shape()));
}

}  // namespace command
