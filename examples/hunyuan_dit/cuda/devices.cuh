// The CUDA devices of one process's ranks.
#pragma once

#include <algorithm>

#include "../options.hpp"
#include "../running.hpp"
#include "weft/comm/peer/launch.cuh"

namespace command {

/// A device for each rank, or all that there are.
inline Memories<weft::peer::World> devices_of(const Options& options) {
  const int devices = weft::peer::device_count();
  return {static_cast<int>(std::min<weft::Index>(devices, options.world())),
          [](int device) { weft::cuda::check(cudaSetDevice(device), "Choosing the device"); },
          [](const weft::peer::World& world) { return world.device(); }};
}

}  // namespace command
