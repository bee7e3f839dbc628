// The definitions of device.cuh.
#pragma once

#include <utility>

#include "../bench/rehearse.hpp"
#include "../input/hunyuan_v12.hpp"
#include "../parallel.hpp"
#include "../run/run_on.hpp"
#include "calibrate.cuh"
#include "device.cuh"
#include "device_name.cuh"
#include "devices.cuh"
#include "measure.cuh"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/rehearsal.cuh"
#include "weft/comm/solo.hpp"

namespace command {

/// The backend with attention for heads of 48 (share/shapes) and 88 (HunyuanDiT).
template <class E>
using Cuda = weft::Cuda<E, 48, 88>;

template <class E>
weft::Tensor OnDevice<E>::run(const Options& options, const ModelFolder& folder, Work work,
                              weft::Trace* trace) {
  if (options.world() == 1 && options.mesh.patch_count() == 1) {
    using World = weft::Solo<typename Cuda<E>::Queue>;
    return run_on<weft::HunyuanDiT<Cuda<E>>, weft::Local, World>(
        options, folder, std::move(work),
        [trace](const auto& body) {
          World world(1, trace ? &trace->lane(0) : nullptr);
          body(world);
        },
        OwnRanks::all(1));
  }
  using World = weft::peer::World;
  return run_on<weft::HunyuanDiT<Cuda<E>>, Parallel, World>(
      options, folder, std::move(work),
      [&options, trace](const auto& body) { weft::peer::launch(options.world(), body, trace); },
      OwnRanks::all(options.world()), devices_of(options));
}

template <class E>
BenchReport OnDevice<E>::bench(const Options& options, const std::vector<BenchCase>& sizes) {
  return measure<Cuda<E>>(options, sizes);
}

template <class E>
Roofline OnDevice<E>::roofline() {
  return measured_roofline<Cuda<E>>();
}

template <class E>
RehearsalReport OnDevice<E>::rehearse(const Options& options, const std::vector<RehearsedRank>& ranks) {
  return {device_name(), rehearsed<Cuda<E>>(hunyuan_v12(), options, ranks, weft::cuda::fill_on_device)};
}

template <class E>
weft::Tensor OnDevice<E>::evaluation(int px) {
  return random_evaluation<Cuda<E>>(px);
}

template <class E>
weft::planner::Hardware OnDevice<E>::calibrate_gpu(weft::planner::Hardware known) {
  known.gpu = calibrated_gpu<Cuda<E>>(known.gpu);
  return known;
}

template <class E>
weft::planner::Hardware OnDevice<E>::calibrate_links(weft::planner::Hardware known) {
  return with_peer_links<Cuda<E>>(std::move(known));
}

template <class E>
std::vector<double> OnDevice<E>::time_kernels(const std::vector<KernelSize>& sizes) {
  return measured_kernels<Cuda<E>>(sizes);
}

}  // namespace command
