// What runs on a CUDA device. Without nvcc absent.cpp stands in, and rejects.
#pragma once

#include "../bench.hpp"
#include "../kernel_times.hpp"
#include "../project.hpp"
#include "../run.hpp"
#include "weft/plan/hardware.hpp"

namespace command {

/// How many GPUs one process can drive. Throws InvalidArgument if there is none, as all of these are.
int gpus_on_cuda(const Options& options);

/// How many devices the ranks of this process have, and the bytes that are free on the fullest one.
struct DeviceMemory {
  int devices = 1;
  double free = 0;
};
DeviceMemory memory_on_cuda(const Options& options);

/// As `run`, on the current device, in the numbers of options.dtype.
weft::Tensor run_on_cuda(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace);

/// Measures what `bench` reports, likewise.
BenchReport bench_on_cuda(const Options& options, const std::vector<BenchCase>& sizes);

/// Adds to a report what one device alone has to do with it: the roofline and, if it is asked for, the error.
void add_device_figures(BenchReport& report, const Options& options);

/// Times ranks one after another, likewise.
RehearsalReport rehearse_on_cuda(const Options& options, const std::vector<RehearsedRank>& ranks);

/// Measures the current GPU, and the links between those of this process; what is not measured stays as in
/// `known`.
weft::planner::Hardware calibrated_on_cuda(const Options& options, const weft::planner::Hardware& known);

/// The same of the current GPU alone.
weft::planner::Hardware calibrated_gpu(const Options& options, const weft::planner::Hardware& known);

/// Seconds of each kernel on the current device.
std::vector<double> kernel_times_on_cuda(const Options& options, const std::vector<KernelSize>& sizes);

}  // namespace command
