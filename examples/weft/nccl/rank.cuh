// The command in one rank of an NCCL world, in numbers of type `E`. Each type is compiled in a file of its
// own.
#pragma once

#include <vector>

#include "../bench/case.hpp"
#include "../bench/report.hpp"
#include "../run/run.hpp"
#include "weft/comm/nccl.cuh"
#include "weft/plan/hardware.hpp"

namespace command {

template <class E>
struct NcclRank {
  static weft::Tensor run(weft::nccl::World& world, const Options& options, const ModelFolder& folder,
                          Work work, weft::Trace* trace);
  static BenchReport bench(weft::nccl::World& world, const Options& options,
                           const std::vector<BenchCase>& sizes);
  /// Sets NCCL's measured rates of the links in `known`.
  static void calibrate(weft::nccl::World& world, const Options& options, weft::planner::Hardware& known);
};

}  // namespace command
