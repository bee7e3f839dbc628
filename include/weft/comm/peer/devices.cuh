// The CUDA devices of this host: how ranks share them, and which of them reach each other's memory.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <string>
#include <vector>

#include "weft/check.cuh"
#include "weft/core/range.hpp"

namespace weft::inline v0_1::peer {

using kernels::check;

/// Returns the number of CUDA devices. Throws InvalidArgument if there is none.
inline int device_count() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
    reject("there is no CUDA device here; weft::Host needs none");
  return devices;
}

/// Returns the device of a rank: one each, or neighbouring ranks on one where devices are fewer.
inline int device_of(int rank, int ranks, int devices) {
  return static_cast<int>(Index{rank} * std::min(devices, ranks) / ranks);
}

/// Returns the ranks that compute on a device, in order.
inline std::vector<int> ranks_on(int device, int ranks, int devices) {
  std::vector<int> out;
  for (int rank = 0; rank < ranks; ++rank)
    if (device_of(rank, ranks, devices) == device) out.push_back(rank);
  return out;
}

/// Returns "rank 1", or "ranks 2 and 3".
inline std::string named(const std::vector<int>& ranks) {
  std::vector<std::string> numbers;
  for (const int rank : ranks) numbers.push_back(std::to_string(rank));
  return (ranks.size() == 1 ? "rank " : "ranks ") + listed(numbers);
}

/// Returns whether a device reaches the memory of another.
inline bool can_reach(int device, int other) {
  int can = 0;
  check(cudaDeviceCanAccessPeer(&can, device, other), "asking what a device can reach");
  return can != 0;
}

/// Returns how many devices, from the first on, all reach each other's memory, as those of one process must.
/// Throws InvalidArgument if there is no CUDA device.
inline int connected_device_count() {
  const int devices = device_count();
  for (int device = 1; device < devices; ++device)
    for (int other = 0; other < device; ++other)
      if (!can_reach(device, other) || !can_reach(other, device)) return device;
  return devices;
}

/// Lets the current device reach the memory of the others. Throws InvalidArgument if it cannot.
inline void reach_other_devices(int device, int devices) {
  for (int other = 0; other < devices; ++other) {
    if (other == device) continue;
    if (!can_reach(device, other))
      reject("CUDA device ", device, " cannot reach the memory of device ", other,
             "; run one process a device, or choose others by CUDA_VISIBLE_DEVICES");
    const cudaError_t status = cudaDeviceEnablePeerAccess(other, 0);
    if (status == cudaErrorPeerAccessAlreadyEnabled) {
      cudaGetLastError();
    } else if (status == cudaErrorTooManyPeers) {
      cudaGetLastError();
      reject("CUDA device ", device, " is to reach the memory of ", devices - 1,
             " others, and without NVSwitch it reaches 8 at most, not that of device ", other,
             "; run one process a device, or choose 9 devices by CUDA_VISIBLE_DEVICES");
    } else {
      check(status, "reaching another device's memory");
    }
  }
}

}  // namespace weft::inline v0_1::peer
