// Launch: runs the same body on every rank, as threads of this process on the CUDA devices of this host.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "weft/comm/launch.hpp"
#include "weft/comm/peer.cuh"
#include "weft/comm/peer/access_check.cuh"
#include "weft/comm/peer/devices.cuh"

namespace weft::inline v0_1::peer {

/// A rank's communicator of all ranks, with its device and its lane of the trace. Valid while the body of
/// `launch` runs.
class World : public Communicator {
 public:
  World(Hub& hub, int rank, int device, weft::Lane* lane)
      : Communicator(hub, rank), recorder_(&hub.recorder), device_(device), lane_(lane) {}

  int workers() const { return 1; }
  weft::Lane* lane() const { return lane_; }
  cuda::JointRecorder* recorder() const { return recorder_; }
  int device() const { return device_; }

 private:
  cuda::JointRecorder* recorder_;
  int device_;
  weft::Lane* lane_;
};

struct LaunchOptions {
  Trace* trace = nullptr;  // with a lane for every rank; records every operator and message
};

namespace detail {

/// Throws InvalidArgument unless what devices write into each other's memory arrives there. Every rank calls
/// it, with its device as the current one; the first rank of each device takes part.
inline void check_access(Hub& hub, int rank, int device, int devices) {
  const int ranks = hub.ranks();
  if (rank == ranks_on(device, ranks, devices).front()) {
    const AccessCheck check(device, devices);
    std::vector<void*> memory;
    for (const auto& theirs :
         hub.all_gather.gather("ready to check", devices, device, {nullptr, {check.memory()}}))
      memory.push_back(theirs.memory.front());
    check.exchange(memory);
    hub.all_gather.gather("words exchanged", devices, device, {});
    check.check_arrivals();
    hub.all_gather.gather("words compared", devices, device, {});  // until then `check` must live
  }
  hub.all_gather.gather("access checked", ranks, rank, {});
}

/// The number of devices, from the first on, that have been checked for access to each other in this process.
inline std::atomic<int> checked_devices = 1;

}  // namespace detail

/// Calls body(world) on `ranks` threads, as weft::launch does, each with its device as the current one, and
/// returns what it has returned on rank 0. Throws InvalidArgument if devices do not reach each other's
/// memory, which they check once a process. A device that fails, as after a kernel that faults, ends the
/// process within a second, with exit code 1 and a sentence that names it, its ranks and the devices that
/// fail with it: see DeviceWatch.
template <class Body>
auto launch(Index ranks, Body body, const LaunchOptions& options = {}) {
  Trace* const trace = options.trace;
  const int count = weft::detail::checked_ranks(ranks, trace), devices = std::min(device_count(), count);
  const bool is_checked = detail::checked_devices >= devices;
  Hub hub(count);
  return weft::detail::returned<World>(body, [&hub, trace, count, devices, is_checked](const auto& on_rank) {
    weft::detail::run_ranks(hub, [&hub, &on_rank, trace, count, devices, is_checked](int rank) {
      const int device = device_of(rank, count, devices);
      check(cudaSetDevice(device), "choosing the device");
      const std::vector<int> neighbours = ranks_on(device, count, devices);
      if (rank == neighbours.front()) hub.devices.add(named(neighbours));
      reach_other_devices(device, devices);
      if (!is_checked) detail::check_access(hub, rank, device, devices);
      World world(hub, rank, device, trace ? &trace->lane(rank) : nullptr);
      on_rank(world, rank == 0);
    });
    if (devices > detail::checked_devices) detail::checked_devices = devices;
  });
}

}  // namespace weft::inline v0_1::peer
