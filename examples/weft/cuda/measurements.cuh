// Measurements of CUDA devices in numbers of type `E`, as weft::Cuda takes it. Each type is compiled in a
// unit of its own.
#pragma once

#include "run.hpp"

namespace command {

template <class E>
struct Measurements {
  static Roofline roofline();
  /// Returns the times of the transfers of each mesh, between the devices of this process.
  static std::vector<TransferReport> transfers(const Options& options, const std::vector<BenchCase>& sizes);
  static RehearsalReport rehearse(const Options& options, const std::vector<RehearsedRank>& ranks);
  /// Return `known` with the measured rates of the current GPU, or of the links between this process's GPUs.
  static weft::planner::Hardware calibrate_gpu(weft::planner::Hardware known);
  static weft::planner::Hardware calibrate_links(weft::planner::Hardware known);
  static std::vector<double> time_kernels(const std::vector<KernelSize>& sizes);
};

}  // namespace command
