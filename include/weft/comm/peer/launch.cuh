// Launch: runs the same body on every rank, as threads of this process on the CUDA devices of this host.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "weft/comm/launch.hpp"
#include "weft/comm/peer.cuh"
#include "weft/comm/peer/access_check.cuh"
#include "weft/comm/peer/devices.cuh"

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

namespace detail {

/// Throws InvalidArgument unless what devices write into each other's memory arrives there. Every rank calls
/// it, with its device as the current one; one rank a device takes part.
inline void check_access(Hub& hub, int rank, int device, int devices) {
  const int ranks = hub.ranks();
  if (rank == ranks_on(device, ranks, devices).front()) {
    const AccessCheck check(device, devices);
    std::vector<void*> memory;
    for (const auto& other : hub.crew.meet("ready to check", devices, device, {nullptr, {check.memory()}}))
      memory.push_back(other.memory.front());
    check.exchange(memory);
    hub.crew.meet("words exchanged", devices, device, {});
    check.check_arrivals();
    hub.crew.meet("words compared", devices, device, {});  // until then the memory stays
  }
  hub.crew.meet("access checked", ranks, rank, {});
}

/// How many devices, from the first on, have been checked for access to each other in this process.
inline std::atomic<int> checked_devices = 1;

}  // namespace detail

/// Calls body(world) on `ranks` threads, as weft::launch does, each with its device as the current one.
/// Before that, but once a process, devices check that they reach each other's memory; rejected if they do
/// not. A device that fails for good, as after a kernel that faults, ends the process within a second, with a
/// sentence that names it, its ranks and what the driver fails with it, and exit code 1: no rank could wait
/// any more for what the others have queued.
template <class Body>
void launch(Index ranks, Body body, Trace* trace = nullptr) {
  const int count = weft::detail::checked_ranks(ranks, trace), devices = std::min(device_count(), count);
  const bool is_checked = detail::checked_devices >= devices;
  Hub hub(count);
  weft::detail::run_ranks(hub, [&hub, &body, trace, count, devices, is_checked](int rank) {
    const int device = device_of(rank, count, devices);
    check(cudaSetDevice(device), "Choosing the device");
    const std::vector<int> neighbours = ranks_on(device, count, devices);
    if (rank == neighbours.front()) hub.devices.add(named(neighbours));
    reach_other_devices(device, devices);
    if (!is_checked) detail::check_access(hub, rank, device, devices);
    World world(hub, rank, device, trace ? &trace->lane(rank) : nullptr);
    body(world);
  });
  if (devices > detail::checked_devices) detail::checked_devices = devices;
}

}  // namespace weft::peer
