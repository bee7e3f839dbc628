// The definitions of rank.cuh.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "../bench/link_times.hpp"
#include "../bench/rank.hpp"
#include "../cuda/on_device.cuh"
#include "../parallel.hpp"
#include "rank.cuh"

namespace command {

template <class E>
weft::Tensor NcclRank<E>::run(weft::nccl::World& world, const Options& options, const ModelFolder& folder,
                              Work work, weft::Trace* trace) {
  using World = weft::nccl::World;
  if (trace) world.record(*trace);
  return run_on<weft::HunyuanDiT<Cuda<E>>, Parallel, World>(options, folder, std::move(work),
                                                            [&world](const auto& body) { body(world); },
                                                            {{world.rank()}, world.size()});
}

template <class E>
BenchReport NcclRank<E>::bench(weft::nccl::World& world, const Options& options,
                               const std::vector<BenchCase>& sizes) {
  using World = weft::nccl::World;
  BenchReport report;
  for (const std::vector<BenchCase>& alike : by_mesh(sizes)) {
    const auto models =
        bench_models<Cuda<E>, Parallel, World>(alike.front().mesh, {{world.rank()}, world.size()});
    append(report, measured_rank<Parallel>(options, alike, models.front(), world));
  }
  return report;
}

template <class E>
void NcclRank<E>::calibrate(weft::nccl::World& world, const Options& options,
                            weft::planner::Hardware& known) {
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
