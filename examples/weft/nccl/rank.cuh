// A model in one rank of an NCCL world, as a type on a backend. Each model and dtype is compiled in a unit of
// its own.
#pragma once

#include <vector>

#include "../bench/case.hpp"
#include "../bench/report.hpp"
#include "../input/archs.hpp"
#include "../run/run.hpp"
#include "weft/comm/nccl.cuh"

namespace command {

template <class Model>
struct OnRank {
  static RunResult run(weft::nccl::World& world, const Options& options, const ModelFolder& folder, Work work,
                       const Wanted& wanted);
  static std::vector<SizeReport> bench(weft::nccl::World& world, const Options& options, const Arch& arch,
                                       const std::vector<BenchCase>& sizes);
};

}  // namespace command
