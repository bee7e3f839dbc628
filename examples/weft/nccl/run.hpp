// The ranks of CUDA devices as processes. Without NCCL absent.cpp stands in, and rejects.
#pragma once

#include <functional>

#include "../bench.hpp"
#include "../run.hpp"
#include "weft/plan/hardware.hpp"

namespace command {

/// As in_processes of mpi/run.hpp, with a device for each process.
void in_processes_on_cuda(const Options& options, const std::function<void(const Run&)>& body);

/// Measures what `bench` reports, in all processes together; the first one's report is whole.
BenchReport bench_over_nccl(const Options& options, const std::vector<BenchCase>& sizes);

/// Measures NCCL's rates between the processes, and in the first one its GPU; what is not measured stays as
/// in `known`.
weft::planner::Hardware calibrated_over_nccl(const Options& options, const weft::planner::Hardware& known);

}  // namespace command
