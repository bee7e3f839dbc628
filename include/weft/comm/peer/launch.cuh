// Launch: runs the same body on every rank, as threads of this process on the CUDA devices of this host.
#pragma once

#include <algorithm>
#include <exception>

#include "weft/comm/launch.hpp"
#include "weft/comm/peer.cuh"

namespace weft::peer {

/// A rank's place in the world: the communicator of all ranks, its device and its trace.
class World : public Communicator {
 public:
  World(Hub& hub, int rank, int device, weft::Lane* lane)
      : Communicator(hub, rank), crew_(&hub.crew), device_(device), lane_(lane) {}

  int workers() const { return 1; }
  weft::Lane* lane() const { return lane_; }
  cuda::Crew* crew() const { return crew_; }
  int device() const { return device_; }

 private:
  cuda::Crew* crew_;
  int device_;
  weft::Lane* lane_;
};

/// Refused if there is no CUDA device.
inline int device_count() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
    refuse("There is no CUDA device here; use the Host backend.");
  return devices;
}

/// The device of a rank: one each, or several neighbours on one where there are fewer.
inline int device_of(int rank, int ranks, int devices) {
  return static_cast<int>(Index{rank} * std::min(devices, ranks) / ranks);
}

inline bool can_reach(int device, int other) {
  int can = 0;
  check(cudaDeviceCanAccessPeer(&can, device, other), "Asking what a device can reach");
  return can != 0;
}

/// How many devices, from the first on, all reach each other's memory, as those of one process must. Refused
/// if there is no CUDA device.
inline int connected_device_count() {
  const int devices = device_count();
  for (int device = 1; device < devices; ++device)
    for (int other = 0; other < device; ++other)
      if (!can_reach(device, other) || !can_reach(other, device)) return device;
  return devices;
}

/// Lets the current device reach the memory of the others. Refused if it cannot.
inline void reach_other_devices(int device, int devices) {
  for (int other = 0; other < devices; ++other) {
    if (other == device) continue;
    if (!can_reach(device, other))
      refuse("CUDA device ", device, " cannot reach the memory of device ", other,
             "; run one process a device, or choose others by CUDA_VISIBLE_DEVICES");
    const cudaError_t status = cudaDeviceEnablePeerAccess(other, 0);
    if (status == cudaErrorPeerAccessAlreadyEnabled)
      cudaGetLastError();
    else
      check(status, "Reaching another device's memory");
  }
}

/// Calls body(world) on `ranks` threads, as weft::launch does, each with its device as the current one.
template <class Body>
void launch(Index ranks, Body body, Trace* trace = nullptr) {
  const int count = weft::detail::checked_ranks(ranks, trace), devices = std::min(device_count(), count);
  Hub hub(count);
  weft::detail::run_ranks(hub, [&hub, &body, trace, count, devices](int rank) {
    const int device = device_of(rank, count, devices);
    check(cudaSetDevice(device), "Choosing the device");
    reach_other_devices(device, devices);
    World world(hub, rank, device, trace ? &trace->lane(rank) : nullptr);
    body(world);
  });
}

}  // namespace weft::peer
