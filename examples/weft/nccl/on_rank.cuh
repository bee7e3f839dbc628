// The definitions of rank.cuh.
#pragma once

#include <utility>
#include <vector>

#include "../bench/rank.hpp"
#include "../cuda/kernels.cuh"
#include "../parallel.hpp"
#include "../run/run_on.hpp"
#include "rank.cuh"

namespace command {

template <class Model>
RunResult OnRank<Model>::run(weft::nccl::World& world, const Options& options, const ModelFolder& folder,
                             Work work, const Wanted& wanted) {
  return run_on<Model, Parallel, weft::nccl::World>(options, folder, std::move(work), wanted,
                                                    [&world](const auto& body) { body(world); },
                                                    {{world.rank()}, world.size()});
}

template <class Model>
std::vector<SizeReport> OnRank<Model>::bench(weft::nccl::World& world, const Options& options,
                                             const Arch& arch, const std::vector<BenchCase>& sizes) {
  std::vector<SizeReport> report;
  for (const std::vector<BenchCase>& alike : by_mesh(sizes)) {
    const auto models = bench_models<Model, Parallel, weft::nccl::World>(arch, alike.front().mesh,
                                                                         {{world.rank()}, world.size()});
    const auto measured = measured_sizes<Parallel>(options, arch, alike, models.of(world.rank()), world);
    report.insert(report.end(), measured.begin(), measured.end());
  }
  return report;
}

}  // namespace command
