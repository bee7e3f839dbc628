// The command in processes with a CUDA device each, which NCCL connects. Without NCCL, absent.cpp throws
// InvalidArgument.
#pragma once

#include <functional>

#include "../bench/case.hpp"
#include "../bench/report.hpp"
#include "../input/archs.hpp"
#include "../run/stages.hpp"
#include "weft/plan/hardware.hpp"

namespace command {

/// Does what in_processes of mpi/run.hpp does, with a device for each process.
void in_processes_on_cuda(const Options& options, weft::Trace* trace,
                          const std::function<void(Stages&)>& body);

/// Returns the measurements of `bench`, made in all processes together; rank 0's report is complete.
BenchReport bench_over_nccl(const Options& options, const Arch& arch, const std::vector<BenchCase>& sizes);

/// Returns `known` with NCCL's measured rates between the processes and, on rank 0, those of its GPU.
weft::planner::Hardware calibrated_over_nccl(const Options& options, const weft::planner::Hardware& known);

}  // namespace command
