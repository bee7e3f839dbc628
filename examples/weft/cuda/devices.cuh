// The CUDA devices of one process's ranks.
#pragma once

#include <algorithm>

#include "../options/options.hpp"
#include "../run/memories.hpp"
#include "weft/comm/peer/launch.cuh"

namespace command {

/// Returns a device for each rank, or all devices where there are fewer.
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
