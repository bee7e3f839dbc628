// The CUDA devices of one process's ranks.
#pragma once

#include <algorithm>

#include "../memories.hpp"
#include "../options.hpp"
#include "weft/comm/peer/launch.cuh"

namespace command {

/// A device for each rank, or all that there are.
inline Memories devices_of(const Options& options) {
  const int devices = weft::peer::device_count();
  return {static_cast<int>(std::min<weft::Index>(devices, options.world())),
          [](int device, int count) {
            weft::cuda::check(cudaSetDevice(device), "Choosing the device");
            weft::peer::reach_other_devices(device, count);
          },
          weft::peer::device_of};
}

}  // namespace command
