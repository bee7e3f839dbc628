// The definitions of links.cuh.
#pragma once

#include <algorithm>
#include <vector>

#include "../bench/link_times.hpp"
#include "../bench/transfers.hpp"
#include "../cuda/kernels.cuh"
#include "links.cuh"

namespace command {

template <class E>
std::vector<TransferReport> Links<E>::transfers(weft::nccl::World& world,
                                                const std::vector<BenchCase>& sizes) {
  std::vector<TransferReport> report;
  for (const std::vector<BenchCase>& alike : by_mesh(sizes)) {
    const auto measured = measured_transfers<Cuda<E>>(alike.front().mesh, world);
    report.insert(report.end(), measured.begin(), measured.end());
  }
  return report;
}

template <class E>
void Links<E>::calibrate(weft::nccl::World& world, const Options& options, weft::planner::Hardware& known) {
  const int on_host = options.launched->local_world, apart = std::max(on_host / 2, 1);
  if (on_host > 1) {
    known.tiers[0].nccl = measured_links<Cuda<E>>(world, 1).messages;
    known.tiers[1].nccl = apart > 1 ? measured_links<Cuda<E>>(world, apart).messages : known.tiers[0].nccl;
  }
  if (world.size() == on_host) return;
  const weft::planner::Link network = measured_links<Cuda<E>>(world, on_host).messages;
  known.tiers[2].nccl = network;
  known.tiers[2].rate = network.rate;  // only NCCL carries messages between hosts
  known.tiers[2].latency = network.latency;
}

}  // namespace command
