// The links between the ranks of an NCCL world, measured in numbers of type `E`, as weft::Cuda takes it. Each
// type is compiled in a unit of its own.
#pragma once

#include <vector>

#include "../bench/case.hpp"
#include "../bench/transfer_report.hpp"
#include "../options/options.hpp"
#include "weft/comm/nccl.cuh"
#include "weft/plan/hardware.hpp"

namespace command {

template <class E>
struct Links {
  /// Returns the times of the transfers of each mesh.
  static std::vector<TransferReport> transfers(weft::nccl::World& world, const std::vector<BenchCase>& sizes);
  /// Sets NCCL's measured rates of the links in `known`.
  static void calibrate(weft::nccl::World& world, const Options& options, weft::planner::Hardware& known);
};

}  // namespace command
