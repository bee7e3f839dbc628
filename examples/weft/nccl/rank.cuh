// One rank of an NCCL world in numbers of type `E`; each type is compiled in a file of its own.
#pragma once

#include <vector>

#include "../bench.hpp"
#include "../run.hpp"
#include "weft/comm/nccl.cuh"
#include "weft/plan/hardware.hpp"

namespace command {

template <class E>
struct NcclRank {
  static weft::Tensor run(weft::nccl::World& world, const Options& options, const ModelFolder& folder,
                          Work work, weft::Trace* trace);
  static BenchReport bench(weft::nccl::World& world, const Options& options,
                           const std::vector<BenchCase>& sizes);
  /// Writes what NCCL makes of the links into `known`.
  static void calibrate(weft::nccl::World& world, const Options& options, weft::planner::Hardware& known);
};

}  // namespace command
