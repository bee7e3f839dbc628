// The definitions of measurements.cuh.
#pragma once

#include <utility>
#include <vector>

#include "../bench/rehearse.hpp"
#include "../bench/transfers.hpp"
#include "../input/archs.hpp"
#include "calibrate.cuh"
#include "measurements.cuh"
#include "roofline.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/rehearsal.cuh"
#include "weft/device.cuh"

namespace command {

template <class E>
Roofline Measurements<E>::roofline() {
  return measured_roofline<Cuda<E>>();
}

template <class E>
std::vector<TransferReport> Measurements<E>::transfers(const Options& options,
                                                       const std::vector<BenchCase>& sizes) {
  std::vector<TransferReport> report;
  for (const std::vector<BenchCase>& alike : by_mesh(sizes))
    weft::peer::launch(options.world(), [&alike, &report](weft::peer::World& world) {
      const auto measured = measured_transfers<Cuda<E>>(alike.front().mesh, world);
      if (world.rank() == 0) report.insert(report.end(), measured.begin(), measured.end());
    });
  return report;
}

template <class E>
RehearsalReport Measurements<E>::rehearse(const Options& options, const std::vector<RehearsedRank>& ranks) {
  return {weft::kernels::device_name(),
          rehearsed<Cuda<E>>(hunyuan_v12(), options, ranks, weft::cuda::fill_on_device)};
}

template <class E>
weft::planner::Hardware Measurements<E>::calibrate_gpu(weft::planner::Hardware known) {
  known.gpu = calibrated_gpu<Cuda<E>>(known.gpu);
  return known;
}

template <class E>
weft::planner::Hardware Measurements<E>::calibrate_links(weft::planner::Hardware known) {
  return with_peer_links<Cuda<E>>(std::move(known));
}

template <class E>
std::vector<double> Measurements<E>::time_kernels(const std::vector<KernelSize>& sizes) {
  return measured_kernels<Cuda<E>>(sizes);
}

}  // namespace command
