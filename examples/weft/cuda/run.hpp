// The command on CUDA devices. All functions throw InvalidArgument where there is no device; in a build
// without nvcc, absent.cpp always does.
#pragma once

#include "../bench/case.hpp"
#include "../bench/rehearsed_rank.hpp"
#include "../bench/report.hpp"
#include "../input/archs.hpp"
#include "../plan/kernel_sizes.hpp"
#include "../run/run.hpp"
#include "weft/plan/hardware.hpp"

namespace command {

/// Returns the number of GPUs that one process can drive.
int gpus_on_cuda(const Options& options);

/// The devices of this process's ranks, and the bytes that are free on the fullest one.
struct DeviceMemory {
  int devices = 1;
  double free = 0;
};
[[nodiscard]] DeviceMemory memory_on_cuda(const Options& options);

/// Throws InvalidArgument unless the current device runs the model, cut into the mesh's slices, in
/// options.dtype.
void check_model_on_cuda(const Options& options, const ModelFolder& folder);

/// Does what `run` does, in options.dtype.
[[nodiscard]] RunResult run_on_cuda(const Options& options, const ModelFolder& folder, Work work,
                                    const Wanted& wanted, weft::Trace* trace);

/// Returns the measurements of `bench`, in options.dtype.
BenchReport bench_on_cuda(const Options& options, const Arch& arch, const std::vector<BenchCase>& sizes);

/// Adds the figures of one device alone to a report: its name, the roofline and, with --compare, the error.
void add_device_figures(BenchReport& report, const Options& options, const Arch& arch);

/// Returns the times of ranks, one after another, in options.dtype.
RehearsalReport rehearse_on_cuda(const Options& options, const std::vector<RehearsedRank>& ranks);

/// Returns `known` with the measured rates of the current GPU, and of the links between this process's GPUs.
weft::planner::Hardware calibrated_on_cuda(const Options& options, const weft::planner::Hardware& known);

/// Returns `known` with the measured rates of the current GPU.
weft::planner::Hardware calibrated_gpu(const Options& options, const weft::planner::Hardware& known);

/// Returns the seconds of each kernel on the current device.
std::vector<double> kernel_times_on_cuda(const Options& options, const std::vector<KernelSize>& sizes);

}  // namespace command
